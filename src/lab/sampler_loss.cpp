#include "lab/sampler_loss.hpp"

#include <algorithm>
#include <cmath>

namespace ito::lab {

bool needs_gradient(SamplerLoss loss) {
  return loss == SamplerLoss::kl || loss == SamplerLoss::sticking_the_landing;
}

SamplerLossValue sampler_loss(SamplerLoss loss, double log_normalizer, const WeighedPaths& paths,
                              const WeightCotangents& cotangents) {
  SamplerLossValue value;
  double count = 0, martingale = 0;
  for (std::size_t i = 0; i < paths.log_weights.size(); ++i) {
    const double log_weight = paths.log_weights[i];
    if (!std::isfinite(log_weight)) continue;
    ++count;
    value.elbo += log_weight;
    martingale += static_cast<double>(paths.martingale[i]);
  }
  if (count == 0) {
    for (const auto& numbers : {cotangents.cost, cotangents.energy, cotangents.martingale})
      std::ranges::fill(numbers, 0.0F);
    return value;
  }
  value.elbo /= count;
  const bool landing = loss == SamplerLoss::sticking_the_landing;
  const double centre = loss == SamplerLoss::trajectory_balance ? log_normalizer : value.elbo;
  double squares = 0;
  for (std::size_t i = 0; i < paths.log_weights.size(); ++i) {
    const double log_weight = paths.log_weights[i];
    float cost = 0, energy = 0, slope = 0;
    if (std::isfinite(log_weight)) {
      if (needs_gradient(loss)) {
        cost = energy = static_cast<float>(1 / count);
        slope = landing ? energy : 0.0F;
      } else {
        const double deviation = log_weight - centre;
        squares += deviation * deviation;
        slope = static_cast<float>(-2 * deviation / count);
      }
    }
    cotangents.cost[i] = cost;
    cotangents.energy[i] = energy;
    cotangents.martingale[i] = slope;
  }
  if (needs_gradient(loss)) {
    value.loss = -value.elbo - (landing ? 0.0 : martingale / count);
  } else {
    value.loss = squares / count;
    if (loss == SamplerLoss::trajectory_balance)
      value.log_normalizer_slope = 2 * (log_normalizer - value.elbo);
  }
  return value;
}

}  // namespace ito::lab
