#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/evaluate.hpp>

#include "engine/engine.hpp"
#include "inference/latent_paths.hpp"

// The parts of a latent model one at a time: encoder, decoder, mean of the likelihood.
namespace ito {
namespace {

std::vector<float> apply(const NetShape& net, Execution execution,
                         std::span<const float> parameters, std::span<const float> inputs) {
  const std::size_t rows = inputs.size() / static_cast<std::size_t>(net.inputs());
  std::vector<float> outputs(rows * static_cast<std::size_t>(net.outputs()));
  make_network(net, execution)->forward(parameters, inputs, outputs);
  return outputs;
}

}  // namespace

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
  const auto row =
      static_cast<std::size_t>(shape.times) * static_cast<std::size_t>(shape.model.state);
  if (states.empty() || states.size() % row != 0)
    throw Error("states", fmt::format("{} numbers", states.size()),
                fmt::format("a positive multiple of {} (times × state)", row));
  if (!shape.decoder) return {states.begin(), states.end()};
  return apply(*shape.decoder, host, parameters, states);
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
  std::vector<float> scaled(data.values.size());
  scale_observations<float>(checked.encoder, data.values, scaled);
  return shape.encoder ? apply(*shape.encoder, host, parameters, scaled) : scaled;
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
