// Normals by address: those of paths, and weighted sums of them that make Brownian motion.
#include <nanobind/nanobind.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

#include "arrays.hpp"
#include "bindings.hpp"

namespace ito::python {
namespace {

constexpr std::uint32_t brownian_stream = 6;  // after those of NoiseStream

/// The normals of a node for elements 4·group to 4·group + 3.
std::array<double, 4> node_normals(std::uint64_t seed, std::uint64_t node, std::uint64_t group) {
  const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  const auto words = philox4x32(
      {low(node), low(node >> 32), low(group), brownian_stream + (low(group >> 32) << 8)}, seed);
  std::array<double, 4> normals;
  for (std::size_t pair = 0; pair < 4; pair += 2) {
    const double radius = std::sqrt(-2 * std::log((words[pair] + 0.5) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * (words[pair + 1] * 0x1p-32);
    normals[pair] = radius * std::cos(angle);
    normals[pair + 1] = radius * std::sin(angle);
  }
  return normals;
}

/// out[e] = Σ_k weights[k] · normal of nodes[k] for element first + e.
template <class Real>
void sum_normals(std::uint64_t seed, std::uint64_t first, std::span<const std::uint64_t> nodes,
                 std::span<const double> weights, std::span<Real> out) {
  if (out.empty()) return;
  const std::uint64_t last = first + out.size();
  const auto begin = static_cast<std::int64_t>(first / 4),
             end = static_cast<std::int64_t>((last + 3) / 4);
#pragma omp parallel for if (end - begin > 64)
  for (std::int64_t g = begin; g < end; ++g) {
    const auto group = static_cast<std::uint64_t>(g);
    std::array<double, 4> sums{};
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      const auto normals = node_normals(seed, nodes[k], group);
      for (std::size_t i = 0; i < 4; ++i) sums[i] += weights[k] * normals[i];
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t element = 4 * group + i;
      if (element >= first && element < last) out[element - first] = static_cast<Real>(sums[i]);
    }
  }
}

void weighted_normals(std::uint64_t seed, std::uint64_t first, nb::handle nodes, nb::handle weights,
                      nb::handle out) {
  const Array of_nodes(nodes, "nodes", false), of_weights(weights, "weights", false),
      to(out, "out", true);
  for (const Array* one : {&of_nodes, &of_weights, &to}) {
    if (one->place() != "cpu")
      throw Error(one->name(), "an array on " + one->place(), "one of the host");
  }
  const auto ids = of_nodes.numbers<const std::uint64_t>();
  const auto factors = of_weights.numbers<const double>({{ids.size()}});
  if (to.is<float>()) {
    const auto numbers = to.numbers<float>();
    nb::gil_scoped_release release;
    sum_normals<float>(seed, first, ids, factors, numbers);
  } else {
    const auto numbers = to.numbers<double>();
    nb::gil_scoped_release release;
    sum_normals<double>(seed, first, ids, factors, numbers);
  }
}

/// The noise of paths, for arrays of addresses of one size.
void standard_normals(std::uint64_t seed, nb::handle paths, nb::handle steps, nb::handle channels,
                      nb::handle out) {
  const auto path = Array(paths, "path", false).numbers<const std::uint64_t>();
  const auto step = Array(steps, "step", false).numbers<const std::uint32_t>();
  const auto channel = Array(channels, "channel", false).numbers<const std::uint32_t>();
  const auto to = Array(out, "out", true).numbers<double>();
  for (const std::size_t size : {path.size(), step.size(), channel.size()}) {
    if (size != to.size()) throw Error("out", "another size", "that of the addresses");
  }
  nb::gil_scoped_release release;
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = standard_normal(seed, path[i], step[i], channel[i]);
}

}  // namespace

void add_brownian(nb::module_& module) {
  module.def("weighted_normals", weighted_normals, nb::arg("seed"), nb::arg("first"),
             nb::arg("nodes"), nb::arg("weights"), nb::arg("out"));
  module.def("standard_normals", standard_normals, nb::arg("seed"), nb::arg("paths"),
             nb::arg("steps"), nb::arg("channels"), nb::arg("out"));
}

}  // namespace ito::python
