#pragma once

#include <cstdint>

namespace ito {
template <class Word>
struct WideProduct;
inline WideProduct<std::uint32_t> multiply_wide(std::uint32_t a, std::uint32_t b);
}  // namespace ito

#include "kernels/arithmetic/philox.cuh"

namespace ito {

/// The words of philox.cuh as plain integers.
inline WideProduct<std::uint32_t> multiply_wide(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

}  // namespace ito
