#include "lab/reference_law.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ito/check.hpp>

namespace ito::lab {
namespace {

/// dX = −rate X dt + scale · exp(−cooling t) dW from N(start, initial_variance I).
struct LinearProcess {
  std::vector<double> start;
  double initial_variance, rate, scale, cooling;
};

LinearProcess process(const Reference& reference, std::span<const double> grid) {
  if (const auto* brownian = std::get_if<BrownianReference>(&reference))
    return {brownian->start, 0.0, 0.0, brownian->scale * std::sqrt(brownian->cooling),
            std::log(brownian->cooling) / (grid.back() - grid.front())};
  const auto& ou = std::get<OrnsteinUhlenbeckReference>(reference);
  return {{}, ou.std * ou.std, ou.rate, ou.std * std::sqrt(2 * ou.rate), 0.0};
}

}  // namespace

BrownianReference BrownianReference::ending(double std, double cooling, double horizon) {
  check_positive("reference.std", std);
  check_positive("reference.cooling", cooling);
  check_positive("reference.horizon", horizon);
  // ∫ σ² dt over scale² T.
  const double log_cooling = std::log(cooling);
  const double part = log_cooling == 0 ? 1.0 : std::sinh(log_cooling) / log_cooling;
  return {.scale = std / std::sqrt(horizon * part), .cooling = cooling};
}

double IsotropicGaussian::log_density(std::span<const double> x) const {
  double squares = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double deviation = x[j] - mean[j];
    squares += deviation * deviation;
  }
  return -0.5 * (squares / variance +
                 static_cast<double>(x.size()) * std::log(2 * std::numbers::pi * variance));
}

void describe_reference(const Reference& reference, Model& model) {
  const auto d = static_cast<std::size_t>(model.state);
  if (const auto* brownian = std::get_if<BrownianReference>(&reference)) {
    check_positive("reference.scale", brownian->scale);
    check_positive("reference.cooling", brownian->cooling);
    check_values("reference.start", brownian->start, d);
    model.initial = PointInitial{brownian->start};
  } else {
    const auto& ou = std::get<OrnsteinUhlenbeckReference>(reference);
    check_positive("reference.rate", ou.rate);
    check_positive("reference.std", ou.std);
    model.initial = GaussianInitial{.value = {}, .std = std::vector<double>(d, ou.std)};
    model.drift = Mlp{.hidden = {}, .time = false};
  }
  const LinearProcess linear = process(reference, model.grid);
  if (linear.cooling == 0) {
    model.diffusion = IdentityDiffusion{linear.scale};
  } else {
    model.diffusion =
        DiagonalDiffusion{.net = {.hidden = {}, .output = Activation::exp}, .scale = linear.scale};
  }
}

void set_reference(const Reference& reference, const Model& model, Parameters& parameters) {
  if (const auto* own = std::get_if<PriorReference>(&reference)) {
    const auto values = own->parameters.values().first(zero_parameters(prior(own->model)).size());
    std::ranges::copy(values, parameters.values().begin());
    return;
  }
  const LinearProcess linear = process(reference, model.grid);
  const auto d = static_cast<std::size_t>(model.state);
  if (std::holds_alternative<Mlp>(model.drift)) {
    const auto weight = parameters["drift.0.weight"];
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = i % (d + 1) == 0 ? static_cast<float>(-linear.rate) : 0.0F;
  }
  if (std::holds_alternative<DiagonalDiffusion>(model.diffusion)) {
    // log(σ/scale) = −cooling t in every component.
    const auto weight = parameters["diffusion.0.weight"];
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = i % (d + 1) == d ? static_cast<float>(-linear.cooling) : 0.0F;
    const auto bias = parameters["diffusion.0.bias"];
    std::ranges::fill(bias, static_cast<float>(linear.cooling * model.grid.front()));
  }
}

IsotropicGaussian reference_law(const Reference& reference, std::span<const double> grid,
                                int dimension) {
  const LinearProcess linear = process(reference, grid);
  IsotropicGaussian law{std::vector<double>(static_cast<std::size_t>(dimension)),
                        linear.initial_variance};
  for (std::size_t j = 0; j < law.mean.size() && !linear.start.empty(); ++j)
    law.mean[j] = linear.start[j % linear.start.size()];
  double factor = 1;
  for (std::size_t k = 0; k + 1 < grid.size(); ++k) {
    const double h = grid[k + 1] - grid[k], decay = 1 - linear.rate * h;
    const double noise = linear.scale * std::exp(-linear.cooling * (grid[k] - grid.front()));
    factor *= decay;
    law.variance = decay * decay * law.variance + noise * noise * h;
  }
  for (double& m : law.mean) m *= factor;
  return law;
}

}  // namespace ito::lab
