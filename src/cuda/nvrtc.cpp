#include "cuda/nvrtc.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include <ito/error.hpp>

#include "cuda/shared_library.hpp"

namespace ito {
namespace {

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
  SharedLibrary library({"NVRTC, which compiles the CUDA kernels", "ITO_NVRTC",
                         toolkit_files("nvrtc"), "nvidia-cuda-nvrtc"});
  const auto get = [&](const char* name, auto& function) { library.find(name, function); };
  get("nvrtcVersion", functions_.nvrtcVersion);
  path_ = library.path();
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
