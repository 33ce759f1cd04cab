# cmake -DROOT=<source tree> -DFILES=<path,path,…> -DOUTPUT=<file> -P EmbedKernels.cmake
# Writes a C++ source that holds the files as text, under the names that #include gives them: what the
# library hands its run-time compiler.

cmake_minimum_required(VERSION 3.25)

string(REPLACE "," ";" files "${FILES}")
set(entries "")
foreach(file IN LISTS files)
  file(READ "${ROOT}/${file}" text)
  string(REGEX REPLACE "^include/" "" name "${file}")
  string(APPEND entries "    {\"${name}\", R\"kernel_text(${text})kernel_text\"},\n")
endforeach()

file(WRITE "${OUTPUT}" "#include \"cuda/kernel_headers.hpp\"

namespace ito::cuda {

std::span<const KernelHeader> kernel_headers() {
  static constexpr KernelHeader headers[]{
${entries}  };
  return headers;
}

}  // namespace ito::cuda
")
