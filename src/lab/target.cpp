#include <ito/lab/target.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/noise.hpp>

namespace ito::lab {
namespace {

double log_two_pi() { return std::log(2 * std::numbers::pi); }

void check_dimension(const std::string& field, int dimension, int least) {
  check_integer(field, dimension, {least, state_range.most});
}

/// The normal of a draw's component; the words of a draw belong to it alone.
double normal(std::uint64_t seed, std::uint64_t row, std::size_t component) {
  return standard_normal(seed, row, 0, static_cast<std::uint32_t>(component),
                         NoiseStream::observation);
}

/// A uniform number in (0, 1) of a draw, from words that `normal` does not use.
double uniform(std::uint64_t seed, std::uint64_t row, std::uint32_t component) {
  const auto words =
      philox4x32({component, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32),
                  static_cast<std::uint32_t>(NoiseStream::observation)},
                 ~seed);
  const std::uint64_t bits = std::uint64_t{words[0]} << 32 | words[1];
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

struct Mixture {
  std::size_t dimension;
  std::vector<double> means;
  double variance;

  std::size_t count() const { return means.size() / dimension; }
  double operator()(std::span<const double> x, std::span<double> gradient) const {
    // The exponents are taken twice rather than kept: nothing is allocated.
    double nearest = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < count(); ++i) nearest = std::max(nearest, exponent(i, x));
    std::ranges::fill(gradient, 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < count(); ++i) {
      const double part = std::exp(exponent(i, x) - nearest);
      sum += part;
      for (std::size_t j = 0; j < gradient.size(); ++j)
        gradient[j] += part * (means[i * dimension + j] - x[j]) / variance;
    }
    for (double& g : gradient) g /= sum;
    return nearest + std::log(sum / static_cast<double>(count())) -
           0.5 * static_cast<double>(dimension) * (log_two_pi() + std::log(variance));
  }

 private:
  double exponent(std::size_t i, std::span<const double> x) const {
    double squares = 0;
    for (std::size_t j = 0; j < dimension; ++j) {
      const double deviation = x[j] - means[i * dimension + j];
      squares += deviation * deviation;
    }
    return -0.5 * squares / variance;
  }
};

/// −x⁴ + 6x² + ½x.
double well(double x) { return x * x * (6 - x * x) + 0.5 * x; }

/// log ∫ exp(well). Trapezoids on a line where the integrand and all its derivatives vanish at both
/// ends converge faster than any power of the spacing.
double log_well_mass() {
  constexpr int reach = 6, points = 256;  // to either side, and in an interval of length 1
  double sum = 0;
  for (int i = -reach * points; i <= reach * points; ++i) {
    sum += std::exp(well(static_cast<double>(i) / points));
  }
  return std::log(sum / points);
}

/// Draws from exp(well) by rejection from two Gaussians of standard deviation 0.4, around ±1.75 in
/// the proportions of the wells' depths. There well(x) − log proposal(x) stays below its largest
/// value, found on a grid.
double draw_well(std::uint64_t seed, std::uint64_t row, std::uint32_t copy) {
  constexpr double centre = 1.75, deviation = 0.4, right = 0.85;
  const auto log_proposal = [](double x) {
    const auto bump = [](double z) { return std::exp(-0.5 * z * z); };
    return std::log(right * bump((x - centre) / deviation) +
                    (1 - right) * bump((x + centre) / deviation));
  };
  static const double bound = [&] {
    double largest = -1e300;
    for (double x = -4; x <= 4; x += 1e-3) largest = std::max(largest, well(x) - log_proposal(x));
    return largest + 1e-3;
  }();
  for (std::uint32_t attempt = 0;; ++attempt) {
    const std::uint32_t place = 4 * (copy + 1024 * attempt);
    const double side = uniform(seed, row, place) < right ? centre : -centre;
    const double radius = std::sqrt(-2 * std::log(uniform(seed, row, place + 1)));
    const double angle = 2 * std::numbers::pi * uniform(seed, row, place + 2);
    const double x = side + deviation * radius * std::cos(angle);
    if (std::log(uniform(seed, row, place + 3)) < well(x) - log_proposal(x) - bound) return x;
  }
}

}  // namespace

Target gaussian_mixture(int dimension, std::vector<double> means, double variance) {
  check_dimension("gaussian_mixture.dimension", dimension, 1);
  check_positive("gaussian_mixture.variance", variance);
  const auto d = static_cast<std::size_t>(dimension);
  if (means.empty() || means.size() % d != 0)
    throw Error("gaussian_mixture.means", fmt::format("{} numbers", means.size()),
                fmt::format("a positive multiple of {} (dimension)", dimension));
  check_values("gaussian_mixture.means", means, means.size());
  const Mixture mixture{d, std::move(means), variance};
  return {.name = fmt::format("mixture of {} Gaussians", mixture.count()),
          .dimension = dimension,
          .log_density = mixture,
          .log_normalizer = 0.0,
          .draw = [mixture](std::uint64_t seed, std::uint64_t row, std::span<double> x) {
            const auto count = static_cast<double>(mixture.count());
            const auto mode = static_cast<std::size_t>(count * uniform(seed, row, 0));
            for (std::size_t j = 0; j < x.size(); ++j)
              x[j] = mixture.means[mode * mixture.dimension + j] +
                     std::sqrt(mixture.variance) * normal(seed, row, j);
          }};
}

Target grid_mixture(int side, double spacing, double variance) {
  check_integer("grid_mixture.side", side, {1, 1024});
  check_positive("grid_mixture.spacing", spacing);
  std::vector<double> means;
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side; ++j) {
      means.push_back(spacing * (i - 0.5 * (side - 1)));
      means.push_back(spacing * (j - 0.5 * (side - 1)));
    }
  }
  return gaussian_mixture(2, std::move(means), variance);
}

Target funnel(int dimension, double std) {
  check_dimension("funnel.dimension", dimension, 2);
  check_positive("funnel.std", std);
  const auto log_density = [std](std::span<const double> x, std::span<double> gradient) {
    const auto rest = static_cast<double>(x.size() - 1);
    const double precision = std::exp(-x[0]);
    double squares = 0;
    for (std::size_t j = 1; j < x.size(); ++j) squares += x[j] * x[j];
    if (!gradient.empty()) {
      gradient[0] = -x[0] / (std * std) + 0.5 * (squares * precision - rest);
      for (std::size_t j = 1; j < x.size(); ++j) gradient[j] = -x[j] * precision;
    }
    return -0.5 * (x[0] * x[0] / (std * std) + squares * precision + rest * x[0] +
                   (rest + 1) * log_two_pi()) -
           std::log(std);
  };
  return {.name = fmt::format("funnel, d = {}", dimension),
          .dimension = dimension,
          .log_density = log_density,
          .log_normalizer = 0.0,
          .draw = [std](std::uint64_t seed, std::uint64_t row, std::span<double> x) {
            x[0] = std * normal(seed, row, 0);
            for (std::size_t j = 1; j < x.size(); ++j)
              x[j] = std::exp(0.5 * x[0]) * normal(seed, row, j);
          }};
}

Target many_well(int copies) {
  check_integer("many_well.copies", copies, {1, state_range.most / 2});
  const auto log_density = [](std::span<const double> x, std::span<double> gradient) {
    double sum = 0;
    for (std::size_t j = 0; j < x.size(); j += 2) {
      sum += well(x[j]) - 0.5 * x[j + 1] * x[j + 1];
      if (gradient.empty()) continue;
      gradient[j] = x[j] * (12 - 4 * x[j] * x[j]) + 0.5;
      gradient[j + 1] = -x[j + 1];
    }
    return sum;
  };
  return {.name = copies == 1 ? "double well" : fmt::format("many-well, d = {}", 2 * copies),
          .dimension = 2 * copies,
          .log_density = log_density,
          .log_normalizer = copies * (log_well_mass() + 0.5 * log_two_pi()),
          .draw = [](std::uint64_t seed, std::uint64_t row, std::span<double> x) {
            for (std::size_t j = 0; j < x.size(); j += 2) {
              x[j] = draw_well(seed, row, static_cast<std::uint32_t>(j / 2));
              x[j + 1] = normal(seed, row, j + 1);
            }
          }};
}

Target double_well() { return many_well(1); }

}  // namespace ito::lab
