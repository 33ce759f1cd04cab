#include <algorithm>
#include <cmath>

#include <ito/deep_latent_gaussian.hpp>
#include <ito/error.hpp>
#include <ito/noise.hpp>

#include "engine/engine.hpp"
#include "inference/latent_shape.hpp"
#include "model/check.hpp"

namespace ito {

struct DeepLatentGaussianPlan::Compiled {
  Compiled(const DeepLatentGaussian& given, Execution execution)
      : model(validated(given)),
        net_shape(layer_net(model)),
        net(make_network(net_shape, on_host(execution))),
        threads(thread_count(execution.threads)),
        d(static_cast<std::size_t>(model.state)),
        m(static_cast<std::size_t>(model.noise)) {}

  std::span<float> layer_states(std::size_t i) {
    return std::span(states).subspan(i * n * d, n * d);
  }

  /// ε and Z of a layer, and log posterior/prior density of Z.
  void draw(const MeanField& posterior, std::size_t i, std::uint64_t seed,
            std::vector<double>& log_ratio);
  void step(std::size_t i);

  DeepLatentGaussian model;
  NetShape net_shape;
  std::unique_ptr<Network> net;
  int threads;
  std::size_t d, m, n = 0;
  std::vector<float> states;   ///< X [k + 1, N, d]
  std::vector<float> normals;  ///< ε [k, N, m]
  std::vector<float> noise;    ///< Z of one layer [N, m]
};

DeepLatentGaussianPlan::DeepLatentGaussianPlan(const DeepLatentGaussian& model, Execution execution)
    : compiled_(std::make_unique<Compiled>(model, execution)) {}
DeepLatentGaussianPlan::~DeepLatentGaussianPlan() = default;
DeepLatentGaussianPlan::DeepLatentGaussianPlan(DeepLatentGaussianPlan&&) noexcept = default;
DeepLatentGaussianPlan& DeepLatentGaussianPlan::operator=(DeepLatentGaussianPlan&&) noexcept =
    default;

const DeepLatentGaussian& DeepLatentGaussianPlan::model() const { return compiled_->model; }

void DeepLatentGaussianPlan::Compiled::draw(const MeanField& posterior, std::size_t i,
                                            std::uint64_t seed, std::vector<double>& log_ratio) {
  const float* mean = &posterior.means[i * m];
  const float* factor = &posterior.factors[i * m * m];
  double log_determinant = 0;
  for (std::size_t j = 0; j < m; ++j)
    log_determinant += std::log(static_cast<double>(factor[j * m + j]));
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::size_t path = 0; path < n; ++path) {
    float* epsilon = &normals[(i * n + path) * m];
    double twice = 0;
    for (std::size_t j = 0; j < m; ++j) {
      epsilon[j] = static_cast<float>(standard_normal(seed, path, static_cast<std::uint32_t>(i),
                                                      static_cast<std::uint32_t>(j)));
      float z = mean[j];
      for (std::size_t l = 0; l <= j; ++l) z += factor[j * m + l] * epsilon[l];
      noise[path * m + j] = z;
      twice += static_cast<double>(z) * static_cast<double>(z) -
               static_cast<double>(epsilon[j]) * static_cast<double>(epsilon[j]);
    }
    log_ratio[path] += 0.5 * twice - log_determinant;
  }
}

void DeepLatentGaussianPlan::Compiled::step(std::size_t i) {
  const GaussianLayer& layer = model.layers[i];
  const auto before = layer_states(i), after = layer_states(i + 1);
  if (layer.map.empty()) {
    std::ranges::fill(after, 0.0F);
  } else {
    net->forward(layer.map, before, after);
  }
  const auto h = static_cast<float>(layer.step);
  const double root = std::sqrt(layer.step);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::size_t path = 0; path < n; ++path) {
    for (std::size_t r = 0; r < d; ++r) {
      float x = before[path * d + r] + h * after[path * d + r];
      for (std::size_t c = 0; c < m; ++c)
        x += static_cast<float>(root * layer.noise[r * m + c]) * noise[path * m + c];
      after[path * d + r] = x;
    }
  }
}

DeepLatentGaussianPlan::Paths DeepLatentGaussianPlan::simulate(const MeanField& posterior,
                                                               std::uint64_t paths,
                                                               std::uint64_t seed) {
  Compiled& c = *compiled_;
  check_mean_field(c.model, posterior);
  check_paths("paths", paths);
  const std::size_t k = c.model.layers.size();
  const std::size_t numbers =
      checked_elements<float>("paths", {paths, k + 2, c.d + c.m});  // no fewer than are held
  check_memory("paths", paths,
               {.results = static_cast<double>(paths) * static_cast<double>(sizeof(double)),
                .beside = static_cast<double>(numbers) * sizeof(float)},
               "fewer at a time");
  c.n = paths;
  c.states.resize((k + 1) * c.n * c.d);
  c.normals.resize(k * c.n * c.m);
  c.noise.resize(c.n * c.m);
  for (std::size_t i = 0; i < c.n * c.d; ++i)
    c.states[i] = static_cast<float>(c.model.initial[i % c.d]);
  Paths result{.states = {}, .log_ratio = std::vector<double>(c.n)};
  for (std::size_t i = 0; i < k; ++i) {
    c.draw(posterior, i, seed, result.log_ratio);
    c.step(i);
  }
  const auto last = c.layer_states(k);
  result.states.assign(last.begin(), last.end());
  return result;
}

DeepLatentGaussianPlan::Gradient DeepLatentGaussianPlan::adjoint(
    const MeanField& posterior, std::span<const float> cotangents) {
  Compiled& c = *compiled_;
  check_mean_field(c.model, posterior);
  if (c.n == 0 || cotangents.size() != c.n * c.d)
    throw Error("cotangents", std::to_string(cotangents.size()) + " numbers",
                std::to_string(c.n * c.d) + " (paths of the last simulate × state)");
  const std::size_t k = c.model.layers.size(), parameters = layer_parameters(c.net_shape);
  Gradient gradient{.means = std::vector<float>(k * c.m),
                    .factors = std::vector<float>(k * c.m * c.m),
                    .maps = {}};
  const bool has_maps = std::ranges::any_of(
      c.model.layers, [](const GaussianLayer& layer) { return !layer.map.empty(); });
  gradient.maps.resize(has_maps ? k * parameters : 0);
  std::vector<float> costate(cotangents.begin(), cotangents.end());
  std::vector<float> scaled(costate.size()), through(costate.size());
  for (std::size_t i = k; i-- > 0;) {
    const GaussianLayer& layer = c.model.layers[i];
    const double root = std::sqrt(layer.step);
    for (std::size_t j = 0; j < c.m; ++j) {
      double mean = 0;
      std::vector<double> row(j + 1);
      for (std::size_t path = 0; path < c.n; ++path) {
        double slope = 0;  // of the loss by Z_j
        for (std::size_t r = 0; r < c.d; ++r)
          slope += root * layer.noise[r * c.m + j] * static_cast<double>(costate[path * c.d + r]);
        mean += slope;
        for (std::size_t l = 0; l <= j; ++l)
          row[l] += slope * static_cast<double>(c.normals[(i * c.n + path) * c.m + l]);
      }
      gradient.means[i * c.m + j] = static_cast<float>(mean);
      for (std::size_t l = 0; l <= j; ++l)
        gradient.factors[(i * c.m + j) * c.m + l] = static_cast<float>(row[l]);
    }
    if (layer.map.empty()) continue;
    const auto h = static_cast<float>(layer.step);
    std::ranges::transform(costate, scaled.begin(), [h](float p) { return h * p; });
    c.net->backward(layer.map, c.layer_states(i), scaled,
                    std::span(gradient.maps).subspan(i * parameters, parameters), through);
    for (std::size_t p = 0; p < costate.size(); ++p) costate[p] += through[p];
  }
  return gradient;
}

}  // namespace ito
