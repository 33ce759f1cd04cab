#include "inference/reference_law.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/check.hpp"

namespace ito {
namespace {

/// dX = −rate X dt + scale dW from N(start, initial_variance I).
struct LinearProcess {
  std::vector<double> start;
  double initial_variance, rate, scale;
};

LinearProcess process(const Reference& reference) {
  if (const auto* brownian = std::get_if<BrownianReference>(&reference))
    return {brownian->start, 0.0, 0.0, brownian->scale};
  const auto& ou = std::get<OrnsteinUhlenbeckReference>(reference);
  return {{}, ou.std * ou.std, ou.rate, ou.std * std::sqrt(2 * ou.rate)};
}

}  // namespace

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
    check_values("reference.start", brownian->start, d);
    model.initial = PointInitial{brownian->start};
  } else {
    const auto& ou = std::get<OrnsteinUhlenbeckReference>(reference);
    check_positive("reference.rate", ou.rate);
    check_positive("reference.std", ou.std);
    model.initial = GaussianInitial{.value = {}, .std = std::vector<double>(d, ou.std)};
    model.drift = Mlp{.hidden = {}, .time = false};
  }
  model.diffusion = IdentityDiffusion{process(reference).scale};
}

void set_reference(const Reference& reference, Parameters& parameters) {
  if (const auto* own = std::get_if<PriorReference>(&reference)) {
    const auto values = own->parameters.values().first(zero_parameters(prior(own->model)).size());
    std::ranges::copy(values, parameters.values().begin());
  }
  const auto* ou = std::get_if<OrnsteinUhlenbeckReference>(&reference);
  if (!ou) return;
  const auto weight = parameters["drift.0.weight"];
  const std::size_t d = parameters["drift.0.bias"].size();
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = i % (d + 1) == 0 ? static_cast<float>(-ou->rate) : 0.0F;
}

IsotropicGaussian reference_law(const Reference& reference, std::span<const double> grid,
                                int dimension) {
  const LinearProcess linear = process(reference);
  IsotropicGaussian law{linear.start, linear.initial_variance};
  law.mean.resize(static_cast<std::size_t>(dimension));
  double factor = 1;
  for (std::size_t k = 0; k + 1 < grid.size(); ++k) {
    const double h = grid[k + 1] - grid[k], decay = 1 - linear.rate * h;
    factor *= decay;
    law.variance = decay * decay * law.variance + linear.scale * linear.scale * h;
  }
  for (double& m : law.mean) m *= factor;
  return law;
}

}  // namespace ito
