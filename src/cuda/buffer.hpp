#pragma once

#include <cstddef>
#include <cstring>
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

/// Several arrays in one block of bytes, each aligned, on their way to a device.
class Image {
 public:
  template <class T>
  std::size_t add(const std::vector<T>& values) {
    const std::size_t begin = (bytes_.size() + 63) / 64 * 64;
    bytes_.resize(begin + values.size() * sizeof(T));
    if (!values.empty())
      std::memcpy(bytes_.data() + begin, values.data(), values.size() * sizeof(T));
    return begin;
  }

  /// Fills `memory` and waits; returns where it begins.
  const std::byte* upload(Gpu& gpu, GpuBuffer& memory) const {
    const std::byte* base = memory.reserve(bytes_.size());
    gpu.copy(memory.data(), bytes_.data(), bytes_.size(), nullptr);
    gpu.synchronize(nullptr);
    return base;
  }

 private:
  std::vector<std::byte> bytes_;
};

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
