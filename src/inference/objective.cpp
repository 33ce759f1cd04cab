#include "inference/objective.hpp"

#include "kernels/arithmetic/objective.cuh"

namespace ito {
namespace {

static_assert(static_cast<int>(Objective::free_energy) == static_cast<int>(LossKind::free_energy));
static_assert(static_cast<int>(Objective::sticking_the_landing) ==
              static_cast<int>(LossKind::sticking_the_landing));
static_assert(static_cast<int>(Objective::importance_weighted) ==
              static_cast<int>(LossKind::importance_weighted));

/// One thread for a sum.
struct Alone {
  unsigned member() const { return 0; }
  unsigned size() const { return 1; }
  double sum(double part) const { return part; }
  double max(double part) const { return part; }
};

}  // namespace

ObservationLoss observation_loss(Objective objective, double annealing, double share,
                                 const PathSums& sums, const PathCotangentRows& cotangents) {
  const LossSums result =
      observation_loss(Alone{}, static_cast<LossKind>(objective), annealing, share,
                       static_cast<unsigned>(sums.energy.size()),
                       PathSumRows<double>{sums.log_likelihood.data(), sums.energy.data(),
                                           sums.martingale.data(), sums.dropped.data()},
                       CotangentRows{cotangents.log_likelihood.data(), cotangents.energy.data(),
                                     cotangents.martingale.data()});
  return {result.paths, result.loss, result.elbo, result.energy};
}

}  // namespace ito
