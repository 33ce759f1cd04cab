#include "inference/early_stopping.hpp"

#include <limits>

namespace ito {

double trained_bound(Objective objective, double elbo, double iwae) {
  const bool weighted = objective == Objective::importance_weighted ||
                        objective == Objective::partially_importance_weighted;
  return weighted ? iwae : elbo;
}

std::size_t best_epoch(std::span<const EpochRecord> history, Objective objective) {
  std::size_t best = 0;
  double highest = -std::numeric_limits<double>::infinity();
  for (const EpochRecord& record : history) {
    const double bound = trained_bound(objective, record.held_out_elbo, record.held_out_iwae);
    if (!(bound > highest)) continue;
    highest = bound;
    best = record.epoch;
  }
  return best;
}

bool out_of_patience(std::span<const EpochRecord> history, const FitOptions& options) {
  return options.patience > 0 &&
         history.size() - best_epoch(history, options.objective) >= options.patience;
}

}  // namespace ito
