#pragma once

#include <span>
#include <string>
#include <vector>

#include "cuda/gpu.hpp"
#include "cuda/kernel_headers.hpp"

namespace ito {

/// NVIDIA's run-time compiler, a shared library that is looked for at first use: the one that
/// ITO_NVRTC names, else where the loader looks, in CUDA_HOME and in /usr/local/cuda. It needs
/// neither a device nor a driver. Thread-safe.
class Nvrtc {
 public:
  /// Throws ito::Error that says what is missing and where it was looked for.
  static const Nvrtc& instance();

  /// For example "13.0".
  std::string version() const;
  const std::string& path() const { return path_; }
  /// Compute capabilities it compiles for, ascending: 80 for sm_80.
  const std::vector<int>& architectures() const { return architectures_; }

  struct Output {
    std::string cubin;
    std::string log;
  };
  /// Throws ito::Error with the compiler's log when the source does not compile.
  Output compile(const KernelSource& source, std::span<const KernelHeader> headers,
                 std::span<const std::string> options) const;

 private:
  Nvrtc();

  // The functions used, by the types of nvrtc.h, whose nvrtcResult is an int and whose nvrtcProgram
  // a pointer.
  struct Functions {
    int (*nvrtcVersion)(int* major, int* minor);
    int (*nvrtcGetNumSupportedArchs)(int* count);
    int (*nvrtcGetSupportedArchs)(int* architectures);
    const char* (*nvrtcGetErrorString)(int result);
    int (*nvrtcCreateProgram)(void** program, const char* text, const char* name, int headers,
                              const char* const* header_texts, const char* const* header_names);
    int (*nvrtcCompileProgram)(void* program, int options, const char* const* option_texts);
    int (*nvrtcDestroyProgram)(void** program);
    int (*nvrtcGetProgramLogSize)(void* program, std::size_t* size);
    int (*nvrtcGetProgramLog)(void* program, char* log);
    int (*nvrtcGetCUBINSize)(void* program, std::size_t* size);
    int (*nvrtcGetCUBIN)(void* program, char* cubin);
  };

  void check(int result, const char* call) const;

  std::string path_;
  Functions functions_{};
  int major_ = 0, minor_ = 0;
  std::vector<int> architectures_;
};

/// The architecture to compile for on a device: "sm_90a" for 90 and "sm_100a" for 100, where
/// instructions of that one architecture are worth having; otherwise the newest known one of the
/// same major version that the device runs, such as "sm_86" for 89 where 89 is not known. Throws
/// ito::Error when there is none.
std::string cubin_architecture(int compute_capability, std::span<const int> known);

}  // namespace ito
