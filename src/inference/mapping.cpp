#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/evaluate.hpp>

#include "engine/engine.hpp"
#include "inference/context_encoder.hpp"
#include "inference/latent_paths.hpp"
#include "inference/row_grids.hpp"
#include "model/check.hpp"

// The parts of a latent model one at a time: encoder, decoder, mean of the likelihood.
namespace ito {

void check_parameters(const LatentShape& shape, std::span<const float> parameters) {
  if (parameters.size() != shape.parameters)
    throw Error("parameters", fmt::format("{} numbers", parameters.size()),
                fmt::format("{} (the model's tensors)", shape.parameters));
}

std::vector<float> decode(const LatentModel& latent, std::span<const float> parameters,
                          std::span<const float> states, Execution execution) {
  const Execution host = on_host(execution);
  const LatentShape shape = resolve(latent);
  check_parameters(shape, parameters);
  const std::size_t row = size(shape.times) * size(shape.model.state);
  if (states.empty() || states.size() % row != 0)
    throw Error("states", fmt::format("{} numbers", states.size()),
                fmt::format("a positive multiple of {} (times × state)", row));
  if (!shape.decoder) return {states.begin(), states.end()};
  std::vector<float> eta(states.size() / size(shape.model.state) * size(shape.observed));
  make_network(*shape.decoder, host)->forward(parameters, states, eta);
  return eta;
}

std::vector<float> encode(const LatentModel& latent, std::span<const float> parameters,
                          const Dataset& data, Execution execution) {
  const Execution host = on_host(execution);
  const LatentModel checked = validated(latent);
  const LatentShape shape = resolve(checked);
  check_parameters(shape, parameters);
  check_dataset(data, checked);
  if (std::holds_alternative<NoEncoder>(checked.encoder))
    throw Error("encoder", "none", "a model with an encoder");
  std::vector<float> context(data.count * size(shape.model.intervals()) *
                             size(shape.model.context()));
  ObservationBlock block{.y = data.values, .constants = {}};
  const RowGrids grids(checked.model, data);
  grids.put(block, 0, data.count);
  ContextEncoder<float>(checked, shape, data.count, host)
      .forward(parameters,
               {.slots = data.times,
                .y = data.values,
                .times = block.times,
                .lengths = block.lengths,
                .inputs = block.inputs},
               context, {});
  return context;
}

std::vector<float> observation_mean(const LatentModel& latent, std::span<const float> parameters,
                                    std::span<const float> eta) {
  check_parameters(resolve(latent), parameters);
  const ObservationModel model(latent.likelihood);
  std::vector<float> means(eta.size());
  std::ranges::transform(eta, means.begin(), [&](float number) {
    return static_cast<float>(model.mean(static_cast<double>(number)));
  });
  return means;
}

}  // namespace ito
