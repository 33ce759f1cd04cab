#pragma once

#include <cstdint>
#include <span>

#include "inference/training_engine.hpp"

namespace ito {

/// Throws the ito::Error of a step that was refused: `plan` is the step's, `rows` the data it saw,
/// `parameters` those it ran with. Runs its paths once more to find out whether it is for few rows
/// of the data, which are then named, or for the parameters.
[[noreturn]] void explain_refusal(const StepRefused& refused, const TrainingTask& task,
                                  std::uint64_t epoch, const StepPlan& plan,
                                  std::span<const std::size_t> rows,
                                  std::span<const float> parameters);

}  // namespace ito
