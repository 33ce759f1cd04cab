#include "study/gradient_sweeps.hpp"

#include <fmt/format.h>

namespace ito::lab::study {
namespace {

constexpr double patience = 0.25;  ///< seconds of a gradient after which a route's sweep ends

std::vector<Sweep> sweeps(bool whole) {
  const auto ladder = [whole](std::vector<int> all) {
    return whole ? all : std::vector{all[0], all[1]};
  };
  std::vector<Sweep> all(4);
  all[by_steps].label = "steps";
  for (const int n : ladder({16, 64, 256, 1024, 4096})) all[by_steps].loads.push_back({.steps = n});
  all[by_state].label = "dimension d";
  for (const int d : ladder({1, 2, 4, 8, 16, 32})) all[by_state].loads.push_back({.state = d});
  all[by_parameters].label = "parameters";
  for (const int w : ladder({1, 2, 4, 8, 16, 32, 64, 128}))
    all[by_parameters].loads.push_back({.hidden = w});
  all[by_paths].label = "paths";
  for (const int n : ladder({128, 256, 1024, 4096, 16384}))
    all[by_paths].loads.push_back({.paths = static_cast<std::uint64_t>(n)});
  return all;
}

double moved(std::size_t sweep, const Workload& load, const GradientCost& cost) {
  switch (sweep) {
    case by_steps:
      return load.steps;
    case by_state:
      return load.state;
    case by_parameters:
      return static_cast<double>(cost.parameters);
    default:
      return static_cast<double>(load.paths);
  }
}

}  // namespace

std::vector<Sweep> measure_sweeps(const std::vector<Route>& by, const Settings& settings) {
  std::vector<Sweep> all = sweeps(settings.whole());
  double count = 0, done = 0;
  for (const Sweep& sweep : all) count += static_cast<double>(sweep.loads.size() * by.size());
  for (std::size_t s = 0; s < all.size(); ++s) {
    Sweep& sweep = all[s];
    sweep.costs.resize(by.size());
    sweep.x.resize(sweep.loads.size());
    for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
      const Workload& load = sweep.loads[l];
      const int finest = s != by_steps || load.steps > 256 ? 0 : settings.whole() ? 2048 : 512;
      ExactGradients exact(load, finest, settings);
      for (std::size_t r = 0; r < by.size(); ++r) {
        auto& costs = sweep.costs[r];
        costs.emplace_back();
        done += 0.9 / count;
        if (l > 0 && (!costs[l - 1] || costs[l - 1]->seconds > patience)) continue;
        costs[l] = gradient_cost(by[r], exact);
        sweep.x[l] = moved(s, load, *costs[l]);
        settings.progress(fmt::format("{} {:g}, {}", sweep.label, sweep.x[l], by[r].name), done);
      }
    }
  }
  return all;
}

}  // namespace ito::lab::study
