#include "inference/training_engine.hpp"

#include <cmath>

namespace ito {

bool too_many_non_finite(const StepOutcome& outcome, const StepPlan& plan,
                         const FitOptions& options) {
  return static_cast<double>(outcome.non_finite) >
         options.non_finite_limit * static_cast<double>(plan.rows * options.samples);
}

bool acceptable(const StepOutcome& outcome, const StepPlan& plan, const FitOptions& options) {
  return !too_many_non_finite(outcome, plan, options) &&
         outcome.observations >= plan.least_observations && std::isfinite(outcome.loss) &&
         std::isfinite(outcome.gradient_norm);
}

}  // namespace ito
