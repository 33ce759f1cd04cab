#include <ito/deep_latent_gaussian.hpp>

#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/latent_shape.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

void check_count(const std::string& field, std::size_t got, std::size_t wanted, const char* what) {
  if (got != wanted)
    throw Error(field, fmt::format("{} numbers", got), fmt::format("{} ({})", wanted, what));
}

}  // namespace

NetShape layer_net(const DeepLatentGaussian& model) {
  std::vector<Tensor> tensors;
  return append_net(tensors, "map", model.map, model.state, 0, 0, model.state);
}

std::size_t layer_parameters(const NetShape& net) { return net.parameter_end(); }

DeepLatentGaussian validated(DeepLatentGaussian model) {
  check_integer("state", model.state, state_range);
  check_integer("noise", model.noise, noise_range);
  check_values("initial", model.initial, size(model.state));
  model.initial.resize(size(model.state));
  check_net("map", model.map);
  if (model.map.time) throw Error("map.time", "true", "false: layers have weights of their own");
  if (model.layers.empty()) throw Error("layers", "none", "at least one");
  check_count("layers", model.layers.size(), 1, steps_range.most);
  const std::size_t parameters = layer_parameters(layer_net(model));
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const GaussianLayer& layer = model.layers[i];
    const std::string field = indexed("layers", i);
    check_positive(field + ".step", layer.step);
    if (!layer.map.empty())
      check_count(field + ".map", layer.map.size(), parameters, "the net's parameters");
    check_count(field + ".noise", layer.noise.size(), size(model.state) * size(model.noise),
                "state × noise");
    check_values(field + ".noise", layer.noise, layer.noise.size());
  }
  return model;
}

MeanField prior_mean_field(const DeepLatentGaussian& model) {
  const std::size_t k = model.layers.size(), m = size(model.noise);
  check_memory("layers", k,
               {.results = static_cast<double>(checked_elements<float>("layers", {k, m, m + 1})) *
                           sizeof(float)},
               "fewer, or a smaller noise");
  MeanField result{std::vector<float>(k * m), std::vector<float>(k * m * m)};
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < m; ++j) result.factors[(i * m + j) * m + j] = 1;
  return result;
}

void check_mean_field(const DeepLatentGaussian& model, const MeanField& posterior) {
  const std::size_t k = model.layers.size(), m = size(model.noise);
  check_count("posterior.means", posterior.means.size(), k * m, "layers × noise");
  check_count("posterior.factors", posterior.factors.size(), k * m * m, "layers × noise × noise");
  for (std::size_t row = 0; row < k * m; ++row) {
    for (std::size_t j = row % m; j < m; ++j) {
      const float value = posterior.factors[row * m + j];
      if (j == row % m ? !(value > 0) : value != 0)
        throw Error(indexed("posterior.factors", row * m + j), fmt::format("{}", value),
                    "lower triangular matrices with a positive diagonal");
    }
  }
}

double divergence(const DeepLatentGaussian& model, const MeanField& posterior) {
  check_mean_field(model, posterior);
  const std::size_t m = size(model.noise);
  double twice = 0;
  for (const float mean : posterior.means)
    twice += static_cast<double>(mean) * static_cast<double>(mean) - 1;
  for (std::size_t i = 0; i < posterior.factors.size(); ++i) {
    const auto factor = static_cast<double>(posterior.factors[i]);
    twice += factor * factor;
    if (i / m % m == i % m) twice -= 2 * std::log(factor);
  }
  return 0.5 * twice;
}

void add_divergence_gradient(const MeanField& posterior,
                             DeepLatentGaussianPlan::Gradient& gradient) {
  const std::size_t m = posterior.factors.size() / posterior.means.size();
  for (std::size_t i = 0; i < posterior.means.size(); ++i) gradient.means[i] += posterior.means[i];
  for (std::size_t i = 0; i < posterior.factors.size(); ++i) {
    gradient.factors[i] += posterior.factors[i];
    if (i / m % m == i % m) gradient.factors[i] -= 1 / posterior.factors[i];
  }
}

}  // namespace ito
