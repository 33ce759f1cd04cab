// The roundings of the cvt and f16x2 instructions, bit by bit.
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {
namespace {

constexpr unsigned magnitude = 0x7FFFFFFFu, infinity = 0x7F800000u;

bool is_nan(unsigned bits) { return (bits & magnitude) > infinity; }

/// Drops the low bits of an unsigned integer, rounding to nearest, ties to even.
std::uint64_t round_off(std::uint64_t bits, unsigned count) {
  const std::uint64_t half = std::uint64_t{1} << (count - 1);
  return (bits + half - 1 + (bits >> count & 1)) >> count;
}

unsigned f16_bits(double x) {
  if (std::isnan(x)) return 0x7FFFu;
  const unsigned sign = std::signbit(x) ? 0x8000u : 0;
  const double size = std::abs(x);
  if (size >= 65520) return sign | 0x7C00u;
  if (size < 0x1p-14) return sign | static_cast<unsigned>(std::nearbyint(size * 0x1p24));
  // In double, 1008 more than f16 has for the same power of two.
  return sign | static_cast<unsigned>(round_off(
                    std::bit_cast<std::uint64_t>(size) - (std::uint64_t{1008} << 52), 42));
}

unsigned bf16_bits(float x) {
  const unsigned bits = std::bit_cast<unsigned>(x);
  return is_nan(bits)
             ? 0x7FFFu
             : (bits >> 16 & 0x8000u) | static_cast<unsigned>(round_off(bits & magnitude, 16));
}

/// Applies `operation` to the doubles of the low halves and of the high halves.
template <class Operation, class... Pairs>
unsigned for_halves(const Operation& operation, Pairs... pairs) {
  return f16_bits(operation(double{f16_value(pairs & 0xFFFFu)}...)) |
         f16_bits(operation(double{f16_value(pairs >> 16)}...)) << 16;
}

}  // namespace

unsigned to_tf32(float x) {
  const unsigned bits = std::bit_cast<unsigned>(x);
  if ((bits & infinity) == infinity) return is_nan(bits) ? 0x7FFFE000u : bits;
  return (bits + 0x1000u) & 0xFFFFE000u;
}

unsigned pack_f16(float low, float high) { return f16_bits(low) | f16_bits(high) << 16; }
unsigned pack_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }

// Products and sums of two halves are exact in double. a·b + c need not be, but is never rounded to
// the middle of two halves, since a·b has 22 bits: so to round it once more is to round it once.
unsigned hfma2(unsigned a, unsigned b, unsigned c) {
  return for_halves([](double x, double y, double z) { return x * y + z; }, a, b, c);
}
unsigned hmul2(unsigned a, unsigned b) {
  return for_halves([](double x, double y) { return x * y; }, a, b);
}
unsigned hmin2_nan(unsigned a, unsigned b) {
  return for_halves([](double x, double y) { return std::isnan(x) || x < y ? x : y; }, a, b);
}
unsigned hadd2(unsigned a, unsigned b) {
  return for_halves([](double x, double y) { return x + y; }, a, b);
}

}  // namespace ito::cuda::simt
