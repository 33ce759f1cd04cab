#pragma once

#include <array>
#include <cstdint>

#pragma GCC visibility push(default)
namespace ito {

/// Philox4x32-10 (Salmon et al., SC 2011): four random words from a counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::uint64_t key);

/// Which independent sequence of normals a draw belongs to.
enum class NoiseStream : std::uint32_t {
  path = 0,
  initial = 1,
  observation = 2,
  parameters = 3,
  shuffle = 4,
  area = 5  ///< of a step: ∫_0^h W ds = h (ΔW/2 + √h ζ/√12)
};

/// The normal that drives `channel` of `path` in `step`: a function of its arguments alone, the
/// same for every batch split and device. Double precision. key = seed; counter = (step,
/// (path/16)·8 + path%8, channel/2, stream); (path/8)%2 picks words (r0, r1) or (r2, r3), and
/// Box–Muller gives the even and odd channel. Paths from 0 to 2^33 − 1.
double standard_normal(std::uint64_t seed, std::uint64_t path, std::uint32_t step,
                       std::uint32_t channel, NoiseStream stream = NoiseStream::path);

/// Uniform numbers on (0, 1), 53 bits each: a function of (seed, row, element) and of how many were
/// taken before. Philox with key = seed and counter = (block, row, element, observation stream),
/// where the high half of `row` goes above the stream's number; a block's four words give two
/// numbers.
class UniformStream {
 public:
  UniformStream(std::uint64_t seed, std::uint64_t row, std::uint32_t element)
      : seed_(seed), row_(row), element_(element) {}
  double next();

 private:
  std::uint64_t seed_, row_;
  std::uint32_t element_, taken_ = 0;
  std::array<std::uint32_t, 4> words_{};
};

/// N(0, 1) by Box–Muller.
double draw_normal(UniformStream& uniforms);

/// Seed of the path noise of one training step: a function of its arguments alone, which never
/// repeats within a run.
std::uint64_t step_seed(std::uint64_t seed, std::uint32_t epoch, std::uint32_t step);

}  // namespace ito
#pragma GCC visibility pop
