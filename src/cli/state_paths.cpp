#include "cli/state_paths.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <ito/evaluate.hpp>
#include <ito/plan.hpp>

namespace ito::cli {
namespace {

constexpr std::size_t reconstruction_paths = 64;  // per observation

std::vector<float> context_of(const FitReport& report, const Dataset& data) {
  if (!takes_context(report.latent)) return {};
  return encode(report.latent, report.parameters, data);
}

/// At most 200 steps, and fewer where states are wide: a curve needs no more, and 512 paths of 1024
/// channels would take gigabytes.
std::vector<int> shown_steps(std::size_t steps, std::size_t state, std::size_t paths) {
  constexpr std::size_t most_numbers = std::size_t{1} << 25;
  const std::size_t intervals =
      std::min(steps, std::clamp<std::size_t>(most_numbers / (state * paths), 2, 200));
  std::vector<int> shown;
  for (std::size_t i = 0; i <= intervals; ++i)
    shown.push_back(static_cast<int>(i * steps / intervals));
  return shown;
}

StatePaths run(const FitReport& report, Model model, std::span<const float> context,
               std::size_t paths, std::uint64_t seed) {
  // Saving other steps changes neither the parameters nor the paths.
  const auto state = static_cast<std::size_t>(model.state);
  model.save = shown_steps(model.grid.size() - 1, state, paths);
  StatePaths result{.paths = paths, .times = {}, .state = state, .values = {}};
  for (const int step : model.save)
    result.times.push_back(model.grid[static_cast<std::size_t>(step)]);
  result.values.resize(paths * model.save.size() * state);
  Plan plan(model, report.execution);
  std::vector<std::byte> workspace(plan.simulate_workspace_bytes(paths));
  plan.simulate(report.parameters, {.paths = paths, .seed = seed, .context = context},
                {.states = result.values}, workspace);
  return result;
}

}  // namespace

bool takes_context(const LatentModel& latent) {
  return !std::holds_alternative<NoEncoder>(latent.encoder);
}

StatePaths prior_states(const FitReport& report, std::size_t paths, std::uint64_t seed) {
  return run(report, prior(report.latent.model), {}, paths, seed);
}

StatePaths posterior_states(const FitReport& report, const Dataset& data, std::size_t paths,
                            std::uint64_t seed) {
  return run(report, report.latent.model, context_of(report, data), paths, seed);
}

std::vector<float> reconstruct(const FitReport& report, const Dataset& data, std::uint64_t seed) {
  const LatentModel& latent = report.latent;
  const std::vector<float> context = context_of(report, data);
  Plan plan(latent.model, report.execution);
  const Paths paths = plan.simulate(
      report.parameters, {.paths = data.count * reconstruction_paths,
                          .seed = seed,
                          .context = context,
                          .paths_per_observation = context.empty() ? 0 : reconstruction_paths});
  const std::vector<float> means = observation_mean(
      latent, report.parameters, decode(latent, report.parameters, paths.states()));

  const std::size_t size = data.times * data.dimension;
  std::vector<float> average(data.count * size);
  for (std::size_t i = 0; i < data.count; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      double sum = 0;
      for (std::size_t s = 0; s < reconstruction_paths; ++s)
        sum += static_cast<double>(means[(i * reconstruction_paths + s) * size + j]);
      average[i * size + j] = static_cast<float>(sum / reconstruction_paths);
    }
  }
  return average;
}

}  // namespace ito::cli
