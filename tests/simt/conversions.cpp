// The roundings of the cvt instructions, bit by bit.
#include <bit>
#include <cmath>

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {
namespace {

constexpr unsigned magnitude = 0x7FFFFFFFu, infinity = 0x7F800000u;

bool is_nan(unsigned bits) { return (bits & magnitude) > infinity; }

/// Drops the low bits of an unsigned integer, rounding to nearest, ties to even.
unsigned round_off(unsigned bits, unsigned count) {
  const unsigned half = 1u << (count - 1);
  return (bits + half - 1 + (bits >> count & 1)) >> count;
}

unsigned f16_bits(float x) {
  const unsigned bits = std::bit_cast<unsigned>(x), sign = bits >> 16 & 0x8000u,
                 size = bits & magnitude;
  if (is_nan(bits)) return 0x7FFFu;
  if (size >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and above
  if (size >= 0x38800000u) return sign | round_off(size - 0x38000000u, 13);
  return sign | static_cast<unsigned>(std::nearbyint(bits_float(size) * 0x1p24f));  // subnormal
}

unsigned bf16_bits(float x) {
  const unsigned bits = std::bit_cast<unsigned>(x);
  return is_nan(bits) ? 0x7FFFu : (bits >> 16 & 0x8000u) | round_off(bits & magnitude, 16);
}

}  // namespace

unsigned to_tf32(float x) {
  const unsigned bits = std::bit_cast<unsigned>(x);
  if ((bits & infinity) == infinity) return is_nan(bits) ? 0x7FFFE000u : bits;
  return (bits + 0x1000u) & 0xFFFFE000u;
}

unsigned pack_f16(float low, float high) { return f16_bits(low) | f16_bits(high) << 16; }
unsigned pack_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }

}  // namespace ito::cuda::simt
