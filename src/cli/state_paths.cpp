#include "cli/state_paths.hpp"

#include <numeric>

#include <ito/evaluate.hpp>
#include <ito/plan.hpp>

namespace ito::cli {
namespace {

constexpr std::size_t reconstruction_paths = 64;  // per observation, a multiple of 16

StatePaths run_at_all_steps(Model model, std::span<const float> parameters,
                            std::span<const float> context, std::size_t paths, std::uint64_t seed) {
  // Saving more steps changes neither the parameters nor the paths.
  model.save.resize(model.grid.size());
  std::iota(model.save.begin(), model.save.end(), 0);
  const Plan plan(model);
  const Paths result =
      plan.simulate(parameters, {.paths = paths, .seed = seed, .context = context});
  return {paths, model.save.size(), static_cast<std::size_t>(model.state), result.states()};
}

}  // namespace

StatePaths prior_states(const LatentModel& latent, std::span<const float> parameters,
                        std::size_t paths, std::uint64_t seed) {
  return run_at_all_steps(prior(latent.model), parameters, {}, paths, seed);
}

StatePaths posterior_states(const LatentModel& latent, std::span<const float> parameters,
                            const Dataset& data, std::size_t paths, std::uint64_t seed) {
  const std::vector<float> context = encode(latent, parameters, data);
  return run_at_all_steps(latent.model, parameters, context, paths, seed);
}

std::vector<float> reconstruct(const LatentModel& latent, std::span<const float> parameters,
                               const Dataset& data, std::uint64_t seed) {
  const std::vector<float> context = encode(latent, parameters, data);
  const Plan plan(latent.model);
  const Paths paths = plan.simulate(parameters, {.paths = data.count * reconstruction_paths,
                                                 .seed = seed,
                                                 .context = context,
                                                 .paths_per_observation = reconstruction_paths});
  const std::vector<float> means =
      observation_mean(latent, parameters, decode(latent, parameters, paths.states()));

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
