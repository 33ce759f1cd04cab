#include <ito/lab/sampler.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/averages.hpp>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "lab/reference_law.hpp"
#include "lab/sampler_paths.hpp"

namespace ito::lab {
namespace {

std::vector<double> graded_grid(const SamplerOptions& options) {
  std::vector<double> grid = uniform_grid(1.0, options.steps);
  for (double& t : grid) t = options.horizon * (1 - std::pow(1 - t, options.grading));
  return grid;
}

/// States are of the reference's size; the control's first layer takes numbers of order one.
void scale_inputs(Sampler& sampler) {
  const auto* feedback = std::get_if<FeedbackControl>(&sampler.model.control);
  if (!feedback) return;
  const IsotropicGaussian law =
      reference_law(sampler.reference, sampler.model.grid, sampler.model.state);
  const auto size = static_cast<float>(std::sqrt(law.variance));
  const auto weight = sampler.parameters["control.0.weight"];
  const auto d = static_cast<std::size_t>(sampler.model.state);
  const std::size_t columns = d + (feedback->net.time ? 1 : 0);
  for (std::size_t i = 0; i < weight.size(); ++i)
    if (i % columns < d) weight[i] /= size;
}

/// Of the target: all parts together.
int dimension_of(const Sampler& sampler) {
  check_integer("sampler.parts", sampler.parts, {1, state_range.most});
  check_integer("sampler.model.state", sampler.model.state, state_range);
  return sampler.parts * sampler.model.state;
}

}  // namespace

Sampler make_sampler(const Target& target, const SamplerOptions& options) {
  check_sampler(target, options);
  Sampler sampler{.model = {},
                  .parts = options.parts,
                  .parameters = {},
                  .reference = options.reference,
                  .log_normalizer = std::numeric_limits<double>::quiet_NaN()};
  const auto* own = std::get_if<PriorReference>(&options.reference);
  if (own) {
    sampler.model = prior(own->model);
    sampler.model.save = {};
  } else {
    sampler.model.state = target.dimension / options.parts;
    sampler.model.grid = graded_grid(options);
    describe_reference(options.reference, sampler.model);
  }
  sampler.model.control = options.control;
  sampler.model = validated(sampler.model);
  sampler.parameters = initialize(sampler.model, options.seed);
  set_reference(options.reference, sampler.model, sampler.parameters);
  start_at_drift(sampler.parameters, sampler.model);  // which is the reference's only now
  if (!own) scale_inputs(sampler);
  return sampler;
}

SampleSet run_sampler(const Target& target, const Sampler& sampler, std::size_t paths,
                      std::uint64_t seed, Execution execution) {
  check_function("target.log_density", target.log_density);
  const int dimension = dimension_of(sampler);
  check_count("run_sampler.paths", paths, 1, path_limit / static_cast<std::size_t>(sampler.parts));
  if (target.dimension != dimension)
    throw Error("target.dimension", fmt::format("{}", target.dimension),
                fmt::format("{}, the sampler's", dimension));
  const std::size_t numbers = paths * static_cast<std::size_t>(dimension);
  check_memory("run_sampler.paths", paths,
               {.results = static_cast<double>(numbers) * sizeof(float) +
                           static_cast<double>(paths) * sizeof(double)},
               "fewer at a time");
  constexpr std::size_t most = 4096;
  SamplerPaths batch(target, sampler, {.paths = std::min(most, paths), .execution = execution});
  SampleSet result;
  result.states.reserve(numbers);
  result.log_weights.reserve(paths);
  Averages elbo;
  for (std::size_t begin = 0; begin < paths; begin += most) {
    batch.forward(sampler.parameters,
                  {.paths = std::min(most, paths - begin), .seed = seed, .first_path = begin});
    result.estimate.non_finite += batch.non_finite();
    for (const double log_weight : batch.log_weights())
      if (std::isfinite(log_weight)) elbo.add(log_weight);
    result.states.insert(result.states.end(), batch.states().begin(), batch.states().end());
    result.log_weights.insert(result.log_weights.end(), batch.log_weights().begin(),
                              batch.log_weights().end());
  }
  result.estimate.paths = paths;
  result.estimate.weights = summarize_weights(result.log_weights);
  result.estimate.elbo = elbo.mean();
  result.estimate.elbo_error = elbo.error();
  return result;
}

double reference_log_density(const Sampler& sampler, std::span<const double> x,
                             std::span<double> gradient) {
  const int dimension = dimension_of(sampler);
  if (x.size() != static_cast<std::size_t>(dimension) ||
      (!gradient.empty() && gradient.size() != x.size()))
    throw Error(
        "reference_log_density.x", fmt::format("{} numbers", x.size()),
        fmt::format("{} (the target's dimension), and as many for the gradient", dimension));
  if (std::holds_alternative<PriorReference>(sampler.reference))
    throw Error("sampler.reference", "a PriorReference", "one whose law is known in closed form");
  const IsotropicGaussian law = reference_law(sampler.reference, sampler.model.grid, dimension);
  for (std::size_t j = 0; j < gradient.size(); ++j) gradient[j] = law.slope(x, j);
  return law.log_density(x);
}

}  // namespace ito::lab
