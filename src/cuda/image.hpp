#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "cuda/buffer.hpp"

namespace ito::cuda {

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

}  // namespace ito::cuda
