// The end of a training step: the gradient from where its parts were summed, its norm, and how the
// parameters move. Everything that changes from step to step stands in device memory, so that one
// captured graph serves all.
#pragma once

#include "kernels/device/arrivals.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/training/training_arguments.cuh"

#include "kernels/arithmetic/adam.cuh"

namespace ito::cuda {

/// One thread. Decides whether the step may be taken, as `acceptable` does on the host, and adds it
/// to the epoch.
ITO_DEVICE void finish_step(const CollectArguments& arguments, double norm) {
  TrainingRecord& record = *arguments.record;
  const unsigned step = record.next++;
  if (record.failed) return;
  if (record.step.non_finite > arguments.most_non_finite ||
      record.step.observations < record.current.least_observations || !is_finite(record.loss) ||
      !is_finite(norm)) {
    record.failed = 1;
    record.failed_step = step;
    record.failed_loss = record.loss;
    record.failed_norm = norm;
    record.failed_non_finite = record.step.non_finite;
    record.failed_observations = record.step.observations;
    return;
  }
  const bool clip = arguments.clip_norm > 0 && norm > arguments.clip_norm;
  record.clip = clip ? arguments.clip_norm / norm : 1.0;
  record.epoch.elbo += record.step.elbo;
  record.epoch.energy += record.step.energy;
  record.epoch.observations += record.step.observations;
  record.epoch.non_finite += record.step.non_finite;
  record.norms += norm;
}

/// Columns of threads take a parameter each; sums of parts are in double.
ITO_DEVICE void collect_gradient(const CollectArguments& arguments) {
  const ColumnReductions columns{collect_rows};
  const auto p = static_cast<unsigned>(columns.index());
  double sum = 0;
  ITO_UNROLL
  for (int k = 0; k < gradient_parts; ++k) {
    const GradientPart& part = arguments.parts[k];
    const unsigned i = p - part.first;  // beyond `count` for those before
    if (i >= part.count) continue;
    ITO_UNROLLED_4
    for (unsigned long long row = columns.row(); row < part.parts; row += collect_rows)
      sum += static_cast<double>(part.sums[row * part.count + i]);
  }
  sum = columns.sum(sum);
  double square = 0;
  if (columns.row() == 0 && p < arguments.count) {
    if (p == arguments.log_scale) sum += arguments.record->log_scale;
    if (arguments.adds) sum += static_cast<double>(arguments.gradient[p]);
    if (arguments.fixed != nullptr && arguments.fixed[p]) sum = 0;
    const auto gradient = static_cast<float>(sum);
    arguments.gradient[p] = gradient;
    square = static_cast<double>(gradient) * static_cast<double>(gradient);
  }
  if (!arguments.finishes) return;
  square = BlockReduction().sum(square);
  if (thread_index() == 0) arguments.partials[block_index()] = square;
  if (!last_block(arguments.arrivals, grid_size())) return;
  double squares = 0;
  for (unsigned i = thread_index(); i < grid_size(); i += block_size())
    squares += arguments.partials[i];
  squares = BlockReduction().sum(squares);
  if (thread_index() == 0) finish_step(arguments, sqrt(squares));
}

/// A thread for each parameter.
ITO_DEVICE void move_parameters(const AdamArguments& arguments) {
  const unsigned long long p = global_index();
  const TrainingRecord& record = *arguments.record;
  if (p >= arguments.count || record.failed) return;
  const AdamNumber moved = adam_step(
      {arguments.parameters[p], arguments.average[p], arguments.first[p], arguments.second[p]},
      record.clip * static_cast<double>(arguments.gradient[p]),
      {record.current.rate, record.current.correction, record.current.average_share});
  arguments.parameters[p] = moved.parameter;
  arguments.average[p] = moved.average;
  arguments.first[p] = moved.first;
  arguments.second[p] = moved.second;
  arguments.rounded[p] = static_cast<float>(moved.parameter);
}

}  // namespace ito::cuda
