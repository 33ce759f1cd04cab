#include "cuda/nvrtc.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <ito/error.hpp>

namespace ito {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// File names and paths for dlopen, in the order they are tried. A driver runs what its own major
/// version of NVRTC or an older one made, so the toolkit's own comes first.
std::vector<std::string> candidates() {
  if (const std::string named = environment("ITO_NVRTC"); !named.empty()) return {named};
  std::vector<std::string> folders{""};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string root = environment(variable); !root.empty())
      folders.push_back(root + "/lib64/");
  }
  folders.emplace_back("/usr/local/cuda/lib64/");
  std::vector<std::string> names{"libnvrtc.so.13", "libnvrtc.so.12"};
#ifdef ITO_CUDA_MAJOR
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    return name == "libnvrtc.so." + std::to_string(ITO_CUDA_MAJOR);
  });
#endif
  std::vector<std::string> all;
  for (const std::string& name : names) {
    for (const std::string& folder : folders) all.push_back(folder + name);
  }
  return all;
}

void* load(std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  if (names.size() == 1) {  // its own complaint, which begins with the name
    throw Error(
        fmt::format("NVRTC, which compiles the CUDA kernels, cannot be loaded: {} "
                    "(named by ITO_NVRTC)",
                    dlerror()));
  }
  throw Error(
      fmt::format("NVRTC, which compiles the CUDA kernels, is missing: none of {} can be "
                  "loaded; it is part of the CUDA toolkit and of the Python package "
                  "nvidia-cuda-nvrtc, and ITO_NVRTC names its file",
                  fmt::join(names, ", ")));
}

template <class Function>
void find(void* library, const std::string& path, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  if (!function) throw Error(fmt::format("{}: has no function {}", path, name));
}

/// A message is one line; a log is several.
std::string one_line(std::string_view log) {
  std::string line;
  for (std::size_t begin = 0; begin < log.size();) {
    const std::size_t end =
        std::min(log.find_first_of(std::string_view("\n\0", 2), begin), log.size());
    const auto part = log.substr(begin, end - begin);
    if (part.find_first_not_of(" \t^~") != part.npos) {
      if (!line.empty()) line += "; ";
      line += part.substr(part.find_first_not_of(" \t"));
    }
    begin = end + 1;
  }
  return line;
}

std::vector<const char*> pointers(std::span<const std::string> texts) {
  std::vector<const char*> all;
  for (const std::string& text : texts) all.push_back(text.c_str());
  return all;
}

}  // namespace

const Nvrtc& Nvrtc::instance() {
  static const Nvrtc nvrtc;
  return nvrtc;
}

Nvrtc::Nvrtc() {
  void* library = load(candidates());  // never unloaded
  const auto get = [&](const char* name, auto& function) { find(library, path_, name, function); };
  get("nvrtcVersion", functions_.nvrtcVersion);
  Dl_info where{};
  if (dladdr(reinterpret_cast<void*>(functions_.nvrtcVersion), &where) && where.dli_fname)
    path_ = where.dli_fname;
  get("nvrtcGetNumSupportedArchs", functions_.nvrtcGetNumSupportedArchs);
  get("nvrtcGetSupportedArchs", functions_.nvrtcGetSupportedArchs);
  get("nvrtcGetErrorString", functions_.nvrtcGetErrorString);
  get("nvrtcCreateProgram", functions_.nvrtcCreateProgram);
  get("nvrtcCompileProgram", functions_.nvrtcCompileProgram);
  get("nvrtcDestroyProgram", functions_.nvrtcDestroyProgram);
  get("nvrtcGetProgramLogSize", functions_.nvrtcGetProgramLogSize);
  get("nvrtcGetProgramLog", functions_.nvrtcGetProgramLog);
  get("nvrtcGetCUBINSize", functions_.nvrtcGetCUBINSize);
  get("nvrtcGetCUBIN", functions_.nvrtcGetCUBIN);
  check(functions_.nvrtcVersion(&major_, &minor_), "nvrtcVersion");
  int count = 0;
  check(functions_.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs");
  architectures_.resize(static_cast<std::size_t>(count));
  check(functions_.nvrtcGetSupportedArchs(architectures_.data()), "nvrtcGetSupportedArchs");
  std::sort(architectures_.begin(), architectures_.end());
}

void Nvrtc::check(int result, const char* call) const {
  if (result != 0) {
    throw Error(
        fmt::format("{}: {} (NVRTC {})", call, functions_.nvrtcGetErrorString(result), version()));
  }
}

std::string Nvrtc::version() const { return fmt::format("{}.{}", major_, minor_); }

Nvrtc::Output Nvrtc::compile(const KernelSource& source, std::span<const KernelHeader> headers,
                             std::span<const std::string> options) const {
  std::vector<const char*> names, texts;
  for (const KernelHeader& header : headers) {
    names.push_back(header.name);
    texts.push_back(header.text);
  }
  void* created = nullptr;
  check(functions_.nvrtcCreateProgram(&created, source.text.c_str(), (source.name + ".cu").c_str(),
                                      static_cast<int>(headers.size()), texts.data(), names.data()),
        "nvrtcCreateProgram");
  const auto destroy = [this](void* program) { functions_.nvrtcDestroyProgram(&program); };
  const std::unique_ptr<void, decltype(destroy)> program(created, destroy);

  const auto option_texts = pointers(options);
  const int result = functions_.nvrtcCompileProgram(
      program.get(), static_cast<int>(option_texts.size()), option_texts.data());
  Output output;
  std::size_t size = 0;
  check(functions_.nvrtcGetProgramLogSize(program.get(), &size), "nvrtcGetProgramLogSize");
  output.log.resize(size);
  check(functions_.nvrtcGetProgramLog(program.get(), output.log.data()), "nvrtcGetProgramLog");
  while (!output.log.empty() && output.log.back() == '\0') output.log.pop_back();
  if (result != 0) {
    throw Error(fmt::format("NVRTC {} cannot compile {} with {}: {}: {}", version(), source.name,
                            fmt::join(options, " "), functions_.nvrtcGetErrorString(result),
                            one_line(output.log)));
  }
  check(functions_.nvrtcGetCUBINSize(program.get(), &size), "nvrtcGetCUBINSize");
  output.cubin.resize(size);
  check(functions_.nvrtcGetCUBIN(program.get(), output.cubin.data()), "nvrtcGetCUBIN");
  return output;
}

std::string cubin_architecture(int compute_capability, std::span<const int> known) {
  int best = 0;
  for (const int one : known) {
    if (one / 10 == compute_capability / 10 && one <= compute_capability)
      best = std::max(best, one);
  }
  if (best == 0) {
    throw Error(fmt::format("NVRTC does not compile for sm_{}, only for sm_{}", compute_capability,
                            fmt::join(known, ", sm_")));
  }
  const bool own_instructions = best == compute_capability && (best / 10 == 9 || best / 10 == 10);
  return fmt::format("sm_{}{}", best, own_instructions ? "a" : "");
}

}  // namespace ito
