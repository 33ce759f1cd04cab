#include "inference/shuffle.hpp"

#include <numeric>
#include <utility>

namespace ito {
namespace {

std::uint64_t word(std::uint64_t seed, std::uint32_t index, std::uint32_t epoch,
                   std::uint32_t purpose) {
  const auto words =
      philox4x32({index, epoch, purpose, static_cast<std::uint32_t>(NoiseStream::shuffle)}, seed);
  return std::uint64_t{words[1]} << 32 | words[0];
}

/// An index below `bound` from 64 random bits: the high half of their product, off from uniform by
/// less than bound · 2⁻⁶⁴.
std::size_t below(std::uint64_t random, std::uint64_t bound) {
  const std::uint64_t high = (random >> 32) * bound, low = (random & 0xffffffffu) * bound;
  return static_cast<std::size_t>((high + (low >> 32)) >> 32);
}

}  // namespace

void random_order(std::uint64_t seed, std::uint32_t epoch, std::span<std::size_t> order) {
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[below(word(seed, static_cast<std::uint32_t>(i - 1), epoch, 0), i)]);
}

std::uint64_t step_seed(std::uint64_t seed, std::uint32_t epoch, std::uint32_t step) {
  return word(seed, step, epoch, 1);
}

std::uint64_t held_out_seed(std::uint64_t seed) { return word(seed, 0, 0, 2); }

}  // namespace ito
