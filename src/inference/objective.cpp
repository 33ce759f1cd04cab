#include "inference/objective.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ito {
namespace {

double log_weight(const PathSums& sums, std::size_t s, double annealing) {
  return sums.log_likelihood[s] - annealing * (static_cast<double>(sums.martingale[s]) +
                                               static_cast<double>(sums.energy[s]));
}

void set(const PathCotangentRows& cotangents, std::size_t s, double log_likelihood, double energy,
         double martingale) {
  cotangents.log_likelihood[s] = static_cast<float>(log_likelihood);
  cotangents.energy[s] = static_cast<float>(energy);
  cotangents.martingale[s] = static_cast<float>(martingale);
}

/// −log mean w, with derivative −w̃ (the normalised weight) with respect to each log w.
double importance_weighted(double annealing, double share, const PathSums& sums,
                           const PathCotangentRows& cotangents) {
  const std::size_t samples = sums.energy.size();
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t s = 0; s < samples; ++s)
    if (!sums.dropped[s]) largest = std::max(largest, log_weight(sums, s, annealing));
  double total = 0;
  for (std::size_t s = 0; s < samples; ++s)
    if (!sums.dropped[s]) total += std::exp(log_weight(sums, s, annealing) - largest);
  for (std::size_t s = 0; s < samples; ++s) {
    if (sums.dropped[s]) continue;
    const double weight = share * std::exp(log_weight(sums, s, annealing) - largest) / total;
    set(cotangents, s, -weight, annealing * weight, annealing * weight);
  }
  return std::log(static_cast<double>(samples)) - largest - std::log(total);
}

}  // namespace

ObservationLoss observation_loss(Objective objective, double annealing, double share,
                                 const PathSums& sums, const PathCotangentRows& cotangents) {
  ObservationLoss result;
  double log_likelihood = 0, martingale = 0;
  for (std::size_t s = 0; s < sums.energy.size(); ++s) {
    set(cotangents, s, 0, 0, 0);
    if (sums.dropped[s]) continue;
    ++result.paths;
    log_likelihood += sums.log_likelihood[s];
    result.energy += static_cast<double>(sums.energy[s]);
    martingale += static_cast<double>(sums.martingale[s]);
  }
  if (result.paths == 0) return {};
  const double each = 1.0 / static_cast<double>(result.paths);
  log_likelihood *= each;
  martingale *= each;
  result.energy *= each;
  result.elbo = log_likelihood - result.energy;
  if (objective == Objective::importance_weighted) {
    result.loss = importance_weighted(annealing, share, sums, cotangents);
    return result;
  }
  const bool landing = objective == Objective::sticking_the_landing;
  result.loss = annealing * (result.energy + (landing ? martingale : 0.0)) - log_likelihood;
  for (std::size_t s = 0; s < sums.energy.size(); ++s) {
    if (sums.dropped[s]) continue;
    set(cotangents, s, -share * each, share * each * annealing,
        landing ? share * each * annealing : 0.0);
  }
  return result;
}

}  // namespace ito
