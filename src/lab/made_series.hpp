#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <ito/lab/series_data.hpp>
#include <ito/noise.hpp>

namespace ito::lab {

/// What a series' random numbers are drawn for, each from a stream of its own.
enum class Draw : std::uint32_t { times, missing, start, path, noise };
UniformStream stream_of(const ObservationPattern& pattern, std::size_t series, Draw draw);

void check_pattern(const ObservationPattern& pattern);

/// A dataset of `dimension` columns whose series have times from `start` on and no values yet.
SeriesDataset series_at_times(const ObservationPattern& pattern, std::size_t dimension,
                              double start = 0);

/// Adds N(0, std²) to every number.
void add_noise(SeriesDataset& data, const ObservationPattern& pattern, double std);

/// Makes numbers missing, as the pattern says.
void hide_numbers(SeriesDataset& data, const ObservationPattern& pattern);

/// Drift and diffusion, of an independent noise for each coordinate, at a state.
using Coefficients = std::function<void(std::span<const double> x, std::span<double> drift,
                                        std::span<double> diffusion)>;

/// Euler–Maruyama from `x` at time 0, in equal steps of at most `step` between `times`: the states
/// there [T, d].
std::vector<double> simulate(const Coefficients& coefficients, std::vector<double> x,
                             std::span<const double> times, double step, UniformStream noise);

}  // namespace ito::lab
