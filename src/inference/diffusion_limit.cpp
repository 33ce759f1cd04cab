#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/deep_latent_gaussian.hpp>
#include <ito/error.hpp>

#include "engine/engine.hpp"
#include "inference/latent_shape.hpp"
#include "model/check.hpp"
#include "model/diffusion.hpp"

// A deep latent Gaussian model and the diffusion it tends to, one from the other.
namespace ito {
namespace {

std::vector<double> initial_point(const ModelShape& shape, std::span<const float> parameters) {
  if (shape.initial == InitialKind::point) return shape.initial_point;
  if (shape.initial == InitialKind::gaussian)
    throw Error("initial.kind", "\"gaussian\"",
                "\"point\" or \"learned\": a deep latent Gaussian model starts at one point");
  const auto value = parameters.subspan(shape.initial_value, size(shape.state));
  return {value.begin(), value.end()};
}

std::vector<double> noise_matrix(const ModelShape& shape, std::span<const float> parameters) {
  if (shape.diffusion_net)
    throw Error("diffusion.kind", "one that depends on the state",
                "\"identity\" or \"constant\": a layer's noise does not depend on its state");
  std::vector<double> matrix(size(shape.state) * size(shape.noise));
  const DiffusionEntries entries(shape);
  for (int e = 0; e < entries.count(); ++e)
    matrix[size(entries.row(e) * shape.noise + entries.column(e))] =
        constant_entry(shape, parameters, e).value;
  return matrix;
}

/// Refuses more steps than the memory holds layers of so many bytes.
void check_layers(const ModelShape& shape, double bytes) {
  check_memory("steps", size(shape.steps), {.results = shape.steps * bytes},
               "fewer, or a smaller noise");
}

/// The drift's parameters with time t put into the first layer's bias.
std::vector<float> map_at(const NetShape& drift, std::span<const float> parameters, double t) {
  std::vector<float> map;
  for (std::size_t l = 0; l < drift.layers.size(); ++l) {
    const LayerShape& layer = drift.layers[l];
    const std::size_t rows = size(layer.outputs), columns = size(layer.inputs);
    const std::size_t kept = l == 0 ? size(drift.state_inputs) : columns;
    const auto weight = parameters.subspan(layer.weight, rows * columns);
    for (std::size_t r = 0; r < rows; ++r)
      map.insert(map.end(), weight.begin() + static_cast<std::ptrdiff_t>(r * columns),
                 weight.begin() + static_cast<std::ptrdiff_t>(r * columns + kept));
    for (std::size_t r = 0; r < rows; ++r) {
      double bias = parameters[layer.bias + r];
      if (kept < columns) bias += static_cast<double>(weight[r * columns + kept]) * t;
      map.push_back(static_cast<float>(bias));
    }
  }
  return map;
}

/// u(t_k, c) at every step: the net applied to rows of time and context.
std::vector<float> open_loop_values(const ModelShape& shape, std::span<const float> parameters,
                                    std::span<const float> context, Device device) {
  NetShape rows = *shape.control_net;
  rows.state_inputs = rows.inputs();  // outside a time loop all columns are alike
  const bool time = rows.time_inputs > 0;
  const std::size_t c = size(rows.context_inputs);
  rows.time_inputs = rows.context_inputs = 0;
  std::vector<float> inputs, values(size(shape.steps) * size(shape.noise));
  for (int k = 0; k < shape.steps; ++k) {
    if (time) inputs.push_back(static_cast<float>(shape.grid[size(k)]));
    if (c == 0) continue;
    const auto after = std::ranges::upper_bound(shape.context_steps, k);
    const auto row = static_cast<std::size_t>(after - shape.context_steps.begin()) - 1;
    const auto picked = context.subspan(row * c, c);
    inputs.insert(inputs.end(), picked.begin(), picked.end());
  }
  make_network(rows, {device, 1})->forward(parameters, inputs, values);
  return values;
}

struct Line {
  float start, slope;
};

/// The line through the layers' values of one bias over the times, or an error.
Line time_line(const std::vector<GaussianLayer>& layers, std::span<const double> times,
               std::size_t place) {
  const auto value = [&](std::size_t i) { return static_cast<double>(layers[i].map[place]); };
  const std::size_t last = layers.size() - 1;
  const double slope = last == 0 ? 0.0 : (value(last) - value(0)) / times[last];
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double expected = value(0) + slope * times[i];
    if (std::abs(value(i) - expected) > 1e-5 * (1 + std::abs(expected)))
      throw Error(indexed("layers", i) + ".map", "biases not linear in time",
                  "first layers whose biases are linear in time: one net of (x, t)");
  }
  return {layers[0].map[place], static_cast<float>(slope)};
}

Diffusion constant_noise(const DeepLatentGaussian& model) {
  const std::vector<double>& noise = model.layers.front().noise;
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    if (model.layers[i].noise != noise)
      throw Error(indexed("layers", i) + ".noise", "one that differs from the first layer's",
                  "the same noise in all layers");
  const std::size_t d = size(model.state), m = size(model.noise);
  if (d != m) return ConstantDiffusion{.value = noise};
  std::vector<double> diagonal(d);
  for (std::size_t i = 0; i < d; ++i) diagonal[i] = noise[i * d + i];
  bool is_diagonal = true;
  for (std::size_t i = 0; i < d * d; ++i) is_diagonal &= i % (d + 1) == 0 || noise[i] == 0;
  if (!is_diagonal) return GeneralDiffusion{.net = Mlp{.time = false}};  // its bias is σ
  const bool scaled = std::ranges::all_of(diagonal, [&](double s) { return s == diagonal[0]; });
  if (scaled) return IdentityDiffusion{diagonal[0]};
  return ConstantDiffusion{.value = diagonal};
}

}  // namespace

DeepLatentGaussian deep_latent_gaussian(const Model& given, std::span<const float> parameters) {
  const Model model = prior(validated(given));
  if (model.inputs > 0)
    throw Error("inputs", fmt::format("{}", model.inputs),
                "0: a layer's map takes the state alone");
  const ModelShape shape = resolve(model);
  check_parameters(parameters.size(), shape.parameters);
  DeepLatentGaussian result{
      .state = shape.state, .noise = shape.noise, .initial = initial_point(shape, parameters)};
  if (const auto* drift = std::get_if<Mlp>(&model.drift)) result.map = *drift;
  result.map.time = false;
  const std::vector<double> noise = noise_matrix(shape, parameters);
  check_layers(shape, static_cast<double>(noise.size()) * sizeof(double) +
                          static_cast<double>(shape.parameters) * sizeof(float));
  for (int k = 0; k < shape.steps; ++k) {
    GaussianLayer layer{.step = shape.step_size(k), .map = {}, .noise = noise};
    if (shape.drift) layer.map = map_at(*shape.drift, parameters, shape.grid[size(k)]);
    result.layers.push_back(std::move(layer));
  }
  return validated(std::move(result));
}

MeanField mean_field(const Model& model, std::span<const float> parameters,
                     std::span<const float> context) {
  const ModelShape shape = resolve(model);
  check_parameters(parameters.size(), shape.parameters);
  const std::size_t m = size(shape.noise), wanted = size(shape.context()) * size(shape.intervals());
  if (context.size() != wanted)
    throw Error("context", fmt::format("{} numbers", context.size()),
                fmt::format("{} (context steps × context)", wanted));
  check_layers(shape, static_cast<double>(m * (m + 1)) * sizeof(float));
  MeanField result{std::vector<float>(size(shape.steps) * m),
                   std::vector<float>(size(shape.steps) * m * m)};
  switch (shape.control) {
    case ControlKind::none:
      break;
    case ControlKind::constant:
      for (std::size_t i = 0; i < result.means.size(); ++i)
        result.means[i] = parameters[shape.control_value + i % m];
      break;
    case ControlKind::open_loop:
      result.means = open_loop_values(shape, parameters, context, Device::best());
      break;
    default:
      throw Error("control.kind", "one that depends on the state",
                  "\"none\", \"constant\" or \"open-loop\": a mean field has no feedback");
  }
  for (std::size_t i = 0; i < result.means.size(); ++i) {
    result.means[i] *= static_cast<float>(std::sqrt(shape.step_size(static_cast<int>(i / m))));
    result.factors[i * m + i % m] = 1;
  }
  return result;
}

NeuralSde diffusion(const DeepLatentGaussian& given) {
  const DeepLatentGaussian model = validated(given);
  NeuralSde sde;
  sde.model.state = model.state;
  sde.model.noise = model.noise;
  sde.model.grid = {0.0};
  for (const GaussianLayer& layer : model.layers)
    sde.model.grid.push_back(sde.model.grid.back() + layer.step);
  sde.model.initial = PointInitial{model.initial};
  sde.model.diffusion = constant_noise(model);
  const bool has_map = !model.layers.front().map.empty();
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    if (model.layers[i].map.empty() == has_map)
      throw Error(indexed("layers", i) + ".map", "a zero map among others",
                  "all layers with a map, or none");
  if (has_map) {
    Mlp drift = model.map;
    drift.time = true;
    sde.model.drift = drift;
  }
  sde.model = validated(sde.model);
  sde.parameters = initialize(sde.model, 0);
  if (std::holds_alternative<GeneralDiffusion>(sde.model.diffusion)) {
    std::ranges::fill(sde.parameters["diffusion.0.weight"], 0.0F);
    std::ranges::transform(model.layers.front().noise, sde.parameters["diffusion.0.bias"].begin(),
                           [](double s) { return static_cast<float>(s); });
  }
  if (!has_map) return sde;

  const NetShape from = layer_net(model), to = *resolve(sde.model).drift;
  const LayerShape& first = from.layers.front();
  const std::size_t rows = size(first.outputs), columns = size(first.inputs);
  const std::vector<float>& map = model.layers.front().map;
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    for (std::size_t p = 0; p < map.size(); ++p)
      if ((p < first.bias || p >= first.bias + rows) && model.layers[i].map[p] != map[p])
        throw Error(indexed("layers", i) + ".map", "weights that differ from the first layer's",
                    "layers that differ in the biases of the net's first layer alone");
  const auto values = sde.parameters.values();
  for (std::size_t r = 0; r < rows; ++r) {
    const Line bias = time_line(model.layers, sde.model.grid, first.bias + r);
    const std::size_t row = to.layers.front().weight + r * (columns + 1);
    std::copy_n(map.begin() + static_cast<std::ptrdiff_t>(first.weight + r * columns), columns,
                values.begin() + static_cast<std::ptrdiff_t>(row));
    values[row + columns] = bias.slope;
    values[to.layers.front().bias + r] = bias.start;
  }
  std::copy(map.begin() + static_cast<std::ptrdiff_t>(first.bias + rows), map.end(),
            values.begin() + static_cast<std::ptrdiff_t>(to.layers.front().bias + rows));
  return sde;
}

StepwiseControl stepwise_control(const DeepLatentGaussian& model, const MeanField& posterior) {
  check_mean_field(model, posterior);
  const std::size_t m = size(model.noise);
  StepwiseControl result{.control = {.net = Mlp{.time = false}, .context = model.noise},
                         .context = posterior.means};
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    result.control.context_steps.push_back(static_cast<int>(i));
    for (std::size_t j = 0; j < m; ++j)
      result.context[i * m + j] /= static_cast<float>(std::sqrt(model.layers[i].step));
  }
  return result;
}

void set_stepwise_control(Parameters& parameters) {
  const auto weight = parameters["control.0.weight"];
  const std::size_t m = parameters["control.0.bias"].size();
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = i % (m + 1) == 0 ? 1.0F : 0.0F;
  std::ranges::fill(parameters["control.0.bias"], 0.0F);
}

}  // namespace ito
