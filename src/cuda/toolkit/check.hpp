#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace ito::cuda {

/// Throws ito::Error "CALL: what the runtime says of `code` (name)", and takes the error from the
/// thread's state, where other users of the runtime would find it.
[[noreturn]] void fail(cudaError_t code, const std::string& call);

inline void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) fail(code, call);
}

/// Makes a device the calling thread's current one, and the previous one again.
class CurrentDevice {
 public:
  explicit CurrentDevice(int ordinal);
  ~CurrentDevice();
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

/// While it lives, the calling thread may allocate, free and load code although it or another
/// captures a stream: a capture guards itself against such calls, and ours are not part of it.
class RelaxedCapture {
 public:
  RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace ito::cuda
