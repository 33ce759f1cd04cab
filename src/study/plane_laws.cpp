#include "study/plane_laws.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include <ito/error.hpp>
#include <ito/noise.hpp>

namespace ito::lab::study {
namespace {

/// Three uniform and two normal numbers of a row.
struct Draw {
  std::array<double, 3> uniform;
  std::array<double, 2> normal;

  Draw(std::uint64_t seed, std::uint64_t row) {
    const auto words = philox4x32({static_cast<std::uint32_t>(row), 1, 0,
                                   static_cast<std::uint32_t>(NoiseStream::observation)},
                                  seed);
    for (std::size_t i = 0; i < 3; ++i) uniform[i] = (words[i] + 0.5) * 0x1p-32;
    for (std::uint32_t j = 0; j < 2; ++j)
      normal[j] = standard_normal(seed, row, 0, j, NoiseStream::observation);
  }
};

std::array<double, 2> point(const std::string& law, const Draw& draw) {
  const auto& [u, v, w] = draw.uniform;
  const auto& [a, b] = draw.normal;
  if (law == "two moons") {
    const double angle = std::numbers::pi * u, side = v < 0.5 ? 1 : -1;
    return {2 * (side * std::cos(angle) - 0.5 * side) + 0.15 * a,
            2 * (side * std::sin(angle) - 0.25 * side) + 0.15 * b};
  }
  if (law == "rings") {
    const double radius = (v < 0.35 ? 1.3 : 3.0) + 0.12 * a, angle = 2 * std::numbers::pi * u;
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }
  if (law == "checkerboard") {
    const auto column = static_cast<int>(4 * u), row = 2 * static_cast<int>(2 * w) + column % 2;
    const double fraction = 4 * u - column, height = 2 * w - static_cast<int>(2 * w);
    return {1.8 * (column + fraction - 2), 1.8 * (row + height * 1.0 - 2)};
  }
  if (law == "8 Gaussians") {
    const double angle = 2 * std::numbers::pi * static_cast<int>(8 * u) / 8;
    return {3 * std::cos(angle) + 0.25 * a, 3 * std::sin(angle) + 0.25 * b};
  }
  throw Error("law", law, "one of plane_laws()");
}

double mean_distance(std::span<const float> a, std::span<const float> b, bool same) {
  const std::size_t n = a.size() / 2, m = b.size() / 2;
  std::vector<double> sums(n);  // added in order: the same bits for any number of threads
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j)
      sums[i] += std::hypot(static_cast<double>(a[2 * i]) - static_cast<double>(b[2 * j]),
                            static_cast<double>(a[2 * i + 1]) - static_cast<double>(b[2 * j + 1]));
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  const auto pairs = static_cast<double>(n) * static_cast<double>(same ? m - 1 : m);
  return sum / pairs;
}

}  // namespace

const std::vector<std::string>& plane_laws() {
  static const std::vector<std::string> all{"two moons", "rings", "checkerboard", "8 Gaussians"};
  return all;
}

Dataset draw_plane_law(const std::string& law, std::size_t count, std::uint64_t seed) {
  Dataset data{.count = count, .times = 1, .dimension = 2, .values = {}};
  for (std::size_t i = 0; i < count; ++i)
    for (const double x : point(law, Draw(seed, i))) data.values.push_back(static_cast<float>(x));
  return data;
}

double energy_distance(std::span<const float> a, std::span<const float> b) {
  const double squared =
      2 * mean_distance(a, b, false) - mean_distance(a, a, true) - mean_distance(b, b, true);
  return std::sqrt(std::max(0.0, squared));
}

}  // namespace ito::lab::study
