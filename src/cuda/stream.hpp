#pragma once

#include <memory>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// A stream that is released with its owner.
class OwnStream {
 public:
  explicit OwnStream(std::shared_ptr<Gpu> gpu)
      : gpu_(std::move(gpu)), handle_(gpu_->make_stream()) {}
  ~OwnStream() { gpu_->release_stream(handle_); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

  GpuStream handle() const { return handle_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  GpuStream handle_;
};

}  // namespace ito::cuda
