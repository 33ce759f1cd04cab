#include "gate/nvdisasm.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <ito/error.hpp>

namespace ito::cuda {
namespace {

bool is_program(const std::filesystem::path& path) {
  return std::filesystem::is_regular_file(path) && access(path.c_str(), X_OK) == 0;
}

/// A file of its own that goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() / "ito_gate_XXXXXX") {
    const int file = mkstemp(path_.data());
    if (file < 0) throw Error("cannot make a file like " + path_);
    close(file);
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

std::string find_nvdisasm() {
  if (const char* named = std::getenv("ITO_NVDISASM")) {
    if (!is_program(named)) throw Error("ITO_NVDISASM", named, "the path of nvdisasm");
    return named;
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto program = std::filesystem::path(folder) / "nvdisasm";
    if (is_program(program)) return program;
  }
  throw Error(
      "nvdisasm, which shows the kernels' instructions, is not on the PATH and ITO_NVDISASM is not "
      "set; the CUDA toolkit and the Python package nvidia-cuda-nvdisasm have it");
}

std::string disassemble(const std::string& cubin) {
  const TemporaryFile file(cubin);
  const std::string command = fmt::format("'{}' -c '{}' 2>&1", find_nvdisasm(), file.path());
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw Error("cannot run " + command);
  std::string text;
  std::array<char, 1 << 16> part;
  while (const std::size_t read = std::fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), read);
  if (pclose(pipe) != 0) throw Error(fmt::format("{} failed: {}", command, text));
  return text;
}

}  // namespace ito::cuda
