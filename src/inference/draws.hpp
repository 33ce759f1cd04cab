#pragma once

#include <array>
#include <cstdint>

namespace ito {

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

/// Student-t with `degrees` > 0 degrees of freedom (Bailey 1994: Box–Muller with the radius
/// √(ν (u^(−2/ν) − 1)) in place of √(−2 log u)).
double draw_student(double degrees, UniformStream& uniforms);

/// Binomial(count, p), exact: inversion while the mean is small, else transformed rejection with
/// squeeze (Hörmann 1993, BTRD's simpler form BTRS).
double draw_binomial(int count, double p, UniformStream& uniforms);

/// Poisson(mean), exact: inversion while the mean is small, else transformed rejection (Hörmann
/// 1993, PTRS). Throws ito::Error when the mean is above the largest count a float holds exactly.
double draw_poisson(double mean, UniformStream& uniforms);

}  // namespace ito
