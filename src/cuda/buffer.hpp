#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// Device memory that is released with its owner.
class GpuBuffer {
 public:
  explicit GpuBuffer(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {}
  ~GpuBuffer() {
    if (memory_) gpu_->release(memory_);
  }
  GpuBuffer(const GpuBuffer&) = delete;
  GpuBuffer& operator=(const GpuBuffer&) = delete;

  /// At least `bytes`; what was there is lost when it has to grow.
  std::byte* reserve(std::size_t bytes) {
    if (bytes > size_) {
      if (memory_) gpu_->release(memory_);
      memory_ = nullptr;
      size_ = 0;
      memory_ = gpu_->allocate(bytes);
      size_ = bytes;
    }
    return data();
  }
  std::byte* data() const { return static_cast<std::byte*>(memory_); }
  std::span<std::byte> bytes() const { return {data(), size_}; }

 private:
  std::shared_ptr<Gpu> gpu_;
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ito::cuda
