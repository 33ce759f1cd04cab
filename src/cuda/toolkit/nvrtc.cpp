#include "cuda/nvrtc.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nvrtc.h>

#include <algorithm>
#include <memory>

#include <ito/error.hpp>

#include "cuda/shared_library.hpp"

namespace ito::cuda {
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

struct NvrtcFunctions {
  SharedLibrary library{{"NVRTC, which compiles the CUDA kernels", "ITO_NVRTC",
                         toolkit_files("nvrtc"), "nvidia-cuda-nvrtc"}};
  ITO_FUNCTION(nvrtcVersion);
  ITO_FUNCTION(nvrtcGetNumSupportedArchs);
  ITO_FUNCTION(nvrtcGetSupportedArchs);
  ITO_FUNCTION(nvrtcGetErrorString);
  ITO_FUNCTION(nvrtcCreateProgram);
  ITO_FUNCTION(nvrtcCompileProgram);
  ITO_FUNCTION(nvrtcDestroyProgram);
  ITO_FUNCTION(nvrtcGetProgramLogSize);
  ITO_FUNCTION(nvrtcGetProgramLog);
  ITO_FUNCTION(nvrtcGetCUBINSize);
  ITO_FUNCTION(nvrtcGetCUBIN);
};

class OpenedNvrtc final : public Nvrtc {
 public:
  OpenedNvrtc() {
    path_ = call_.library.path();
    int major = 0, minor = 0, count = 0;
    check(call_.nvrtcVersion(&major, &minor), "nvrtcVersion");
    version_ = fmt::format("{}.{}", major, minor);
    check(call_.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs");
    architectures_.resize(static_cast<std::size_t>(count));
    check(call_.nvrtcGetSupportedArchs(architectures_.data()), "nvrtcGetSupportedArchs");
    std::sort(architectures_.begin(), architectures_.end());
  }

  Output compile(const KernelSource& source, std::span<const KernelHeader> headers,
                 std::span<const std::string> options) const override;

 private:
  void check(nvrtcResult result, const char* call) const {
    if (result == NVRTC_SUCCESS) return;
    throw Error(
        fmt::format("{}: {} (NVRTC {})", call, call_.nvrtcGetErrorString(result), version_));
  }

  NvrtcFunctions call_;
};

Nvrtc::Output OpenedNvrtc::compile(const KernelSource& source,
                                   std::span<const KernelHeader> headers,
                                   std::span<const std::string> options) const {
  std::vector<const char*> names, texts;
  for (const KernelHeader& header : headers) {
    names.push_back(header.name);
    texts.push_back(header.text);
  }
  nvrtcProgram created = nullptr;
  check(call_.nvrtcCreateProgram(&created, source.text.c_str(), (source.name + ".cu").c_str(),
                                 static_cast<int>(headers.size()), texts.data(), names.data()),
        "nvrtcCreateProgram");
  const auto destroy = [this](nvrtcProgram program) { call_.nvrtcDestroyProgram(&program); };
  const std::unique_ptr<std::remove_pointer_t<nvrtcProgram>, decltype(destroy)> program(created,
                                                                                        destroy);
  const auto option_texts = pointers(options);
  const nvrtcResult result = call_.nvrtcCompileProgram(
      program.get(), static_cast<int>(option_texts.size()), option_texts.data());
  Output output;
  std::size_t size = 0;
  check(call_.nvrtcGetProgramLogSize(program.get(), &size), "nvrtcGetProgramLogSize");
  output.log.resize(size);
  check(call_.nvrtcGetProgramLog(program.get(), output.log.data()), "nvrtcGetProgramLog");
  while (!output.log.empty() && output.log.back() == '\0') output.log.pop_back();
  if (result != NVRTC_SUCCESS) {
    throw Error(fmt::format("NVRTC {} cannot compile {} with {}: {}: {}", version_, source.name,
                            fmt::join(options, " "), call_.nvrtcGetErrorString(result),
                            one_line(output.log)));
  }
  check(call_.nvrtcGetCUBINSize(program.get(), &size), "nvrtcGetCUBINSize");
  output.cubin.resize(size);
  check(call_.nvrtcGetCUBIN(program.get(), output.cubin.data()), "nvrtcGetCUBIN");
  return output;
}

}  // namespace

const Nvrtc& Nvrtc::instance() {
  static const OpenedNvrtc opened;
  return opened;
}

}  // namespace ito::cuda
