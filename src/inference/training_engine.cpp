#include "inference/training_engine.hpp"

#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>

namespace ito {
namespace {

bool too_many(const StepOutcome& outcome, std::size_t paths, double limit) {
  return static_cast<double>(outcome.non_finite) > limit * static_cast<double>(paths);
}

}  // namespace

bool acceptable(const StepOutcome& outcome, std::size_t paths, double non_finite_limit) {
  return !too_many(outcome, paths, non_finite_limit) && std::isfinite(outcome.loss) &&
         std::isfinite(outcome.gradient_norm);
}

void refuse_step(const StepOutcome& outcome, std::uint64_t epoch, std::uint64_t step,
                 std::size_t paths, double non_finite_limit) {
  const std::string where = fmt::format("fit: epoch {}, step {}", epoch + 1, step + 1);
  if (too_many(outcome, paths, non_finite_limit)) {
    throw Error(where, fmt::format("{} of {} paths not finite", outcome.non_finite, paths),
                fmt::format("a fraction up to non_finite_limit = {}; a smaller learning_rate or "
                            "clip_norm may help",
                            non_finite_limit));
  }
  throw Error(where,
              fmt::format("loss {} with gradient norm {}", outcome.loss, outcome.gradient_norm),
              "finite numbers; a smaller learning_rate or clip_norm may help");
}

}  // namespace ito
