// A training loss of one observation as a choice of cotangents for its paths' three sums. Written
// for a threads that shares the paths: one thread of the CPU alone, or a warp.
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

/// Those of ito::Objective that are single ones, in its order.
enum class LossKind { free_energy, sticking_the_landing, importance_weighted };

/// Of one observation's S paths; those with dropped ≠ 0 have no meaning.
template <class Real>
struct PathSumRows {
  const double* log_likelihood;
  const Real* energy;
  const Real* martingale;
  const unsigned char* dropped;
};

/// Where the loss's derivatives with respect to those sums go, [S] each.
struct CotangentRows {
  float* log_likelihood;
  float* energy;
  float* martingale;

  /// Those of an observation whose first path is so far behind.
  ITO_INLINE CotangentRows from(unsigned long long first) const {
    return {log_likelihood + first, energy + first, martingale + first};
  }
  ITO_INLINE void set(unsigned s, double by_log_likelihood, double by_energy,
                      double by_martingale) const {
    log_likelihood[s] = static_cast<float>(by_log_likelihood);
    energy[s] = static_cast<float>(by_energy);
    martingale[s] = static_cast<float>(by_martingale);
  }
};

/// In nats. With no finite path all is 0.
struct LossSums {
  unsigned paths;  ///< finite ones
  double loss;     ///< of the objective, annealing included
  double elbo;     ///< mean of log p(y|X) − E
  double energy;   ///< mean of E
};

template <class Real>
ITO_INLINE double log_weight(const PathSumRows<Real>& sums, unsigned s, double annealing) {
  return sums.log_likelihood[s] - annealing * (static_cast<double>(sums.martingale[s]) +
                                               static_cast<double>(sums.energy[s]));
}

/// −log mean w, with derivative −w̃ (the normalised weight) with respect to each log w.
template <class Threads, class Real>
ITO_INLINE double importance_weighted_loss(const Threads& threads, double annealing, double share,
                                           unsigned samples, const PathSumRows<Real>& sums,
                                           const CotangentRows& cotangents) {
  double largest = -0x1.fffffffffffffp1023;
  for (unsigned s = threads.member(); s < samples; s += threads.size()) {
    if (!sums.dropped[s]) largest = Math<double>::max(largest, log_weight(sums, s, annealing));
  }
  largest = threads.max(largest);
  double total = 0;
  for (unsigned s = threads.member(); s < samples; s += threads.size()) {
    if (!sums.dropped[s]) total += Math<double>::exp(log_weight(sums, s, annealing) - largest);
  }
  total = threads.sum(total);
  for (unsigned s = threads.member(); s < samples; s += threads.size()) {
    if (sums.dropped[s]) continue;
    const double weight =
        share * Math<double>::exp(log_weight(sums, s, annealing) - largest) / total;
    cotangents.set(s, -weight, annealing * weight, annealing * weight);
  }
  return Math<double>::log(static_cast<double>(samples)) - largest - Math<double>::log(total);
}

/// `annealing` multiplies E and M; cotangents are of `share` · loss. Every member gets the sums.
/// Dropped paths are left out of the means and get zeros; in the importance-weighted mean they
/// count as weight 0.
template <class Threads, class Real>
ITO_INLINE LossSums observation_loss(const Threads& threads, LossKind kind, double annealing,
                                     double share, unsigned samples, const PathSumRows<Real>& sums,
                                     const CotangentRows& cotangents) {
  double paths = 0, log_likelihood = 0, energy = 0, martingale = 0;
  for (unsigned s = threads.member(); s < samples; s += threads.size()) {
    cotangents.set(s, 0, 0, 0);
    if (sums.dropped[s]) continue;
    paths += 1;
    log_likelihood += sums.log_likelihood[s];
    energy += static_cast<double>(sums.energy[s]);
    martingale += static_cast<double>(sums.martingale[s]);
  }
  paths = threads.sum(paths);
  if (paths == 0) return {0, 0, 0, 0};
  const double each = 1.0 / paths;
  log_likelihood = threads.sum(log_likelihood) * each;
  martingale = threads.sum(martingale) * each;
  energy = threads.sum(energy) * each;
  LossSums result{static_cast<unsigned>(paths), 0, log_likelihood - energy, energy};
  if (kind == LossKind::importance_weighted) {
    result.loss = importance_weighted_loss(threads, annealing, share, samples, sums, cotangents);
    return result;
  }
  const double landing = kind == LossKind::sticking_the_landing ? 1 : 0;
  result.loss = annealing * (energy + landing * martingale) - log_likelihood;
  for (unsigned s = threads.member(); s < samples; s += threads.size()) {
    if (sums.dropped[s]) continue;
    cotangents.set(s, -share * each, share * each * annealing, landing * share * each * annealing);
  }
  return result;
}

}  // namespace ito
