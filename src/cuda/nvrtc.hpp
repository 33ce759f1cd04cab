#pragma once

#include <span>
#include <string>
#include <vector>

#include "cuda/gpu.hpp"
#include "cuda/kernel_headers.hpp"

namespace ito::cuda {

/// NVIDIA's run-time compiler, a shared library that is opened at first use: the one that ITO_NVRTC
/// names, else as SharedLibrary says. It needs neither a device nor a driver. Thread-safe.
class Nvrtc {
 public:
  virtual ~Nvrtc() = default;
  /// Throws ito::Error that says what is missing and where it was looked for, or that this was
  /// built without <nvrtc.h>.
  static const Nvrtc& instance();

  /// For example "13.0".
  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  /// Compute capabilities it compiles for, ascending: 80 for sm_80.
  const std::vector<int>& architectures() const { return architectures_; }

  struct Output {
    std::string cubin;
    std::string log;
  };
  /// Throws ito::Error with the compiler's log when the source does not compile.
  virtual Output compile(const KernelSource& source, std::span<const KernelHeader> headers,
                         std::span<const std::string> options) const = 0;

 protected:
  std::string version_, path_;
  std::vector<int> architectures_;
};

}  // namespace ito::cuda
