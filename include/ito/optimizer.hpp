#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

/// √Σ g², summed in double in order.
double norm(std::span<const float> gradient);

/// Parameters as Adam moves them (Kingma & Ba 2015, algorithm 1; β = (0.9, 0.999), ε = 1e-8), and
/// their average.
struct Adam {
  std::vector<double> parameters, average;  ///< [P]
  std::vector<double> first, second;        ///< moments, [P]
  std::uint64_t steps = 0;                  ///< taken so far

  explicit Adam(std::size_t count)
      : parameters(count), average(count), first(count), second(count) {}
  explicit Adam(std::span<const float> start);

  /// Takes one step along `scale` · `gradient`, with an average of decay `averaging`, as
  /// FitOptions::averaging.
  void step(std::span<const float> gradient, double scale, double learning_rate, double averaging);
};

/// To the float32 numbers that engines take.
void round_to(std::span<const double> numbers, std::span<float> rounded);
std::vector<float> rounded(std::span<const double> numbers);

}  // namespace ito
#pragma GCC visibility pop
