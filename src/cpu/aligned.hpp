#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace ito {

struct FreeAligned {
  void operator()(float* p) const { std::free(p); }
};
using AlignedFloats = std::unique_ptr<float[], FreeAligned>;

/// Zeroed floats, aligned for any vector and to a cache line. `count` is a multiple of 16.
inline AlignedFloats aligned_floats(std::size_t count) {
  auto* p = static_cast<float*>(std::aligned_alloc(64, (count + 16) * sizeof(float)));
  if (!p) throw std::bad_alloc();
  for (std::size_t i = 0; i < count; ++i) p[i] = 0.0f;
  return AlignedFloats(p);
}

}  // namespace ito
