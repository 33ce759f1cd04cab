// The ends of a training step: what it is told, its loss, and how the parameters move. Everything
// that changes from step to step stands in device memory, so that one captured graph serves all.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/training/training_arguments.cuh"

#include "kernels/arithmetic/adam.cuh"
#include "kernels/arithmetic/objective.cuh"

namespace ito::cuda {

/// One thread.
ITO_DEVICE void begin_step(const BeginArguments& arguments) {
  if (thread_index() != 0) return;
  TrainingRecord& record = *arguments.record;
  record.current = arguments.steps[record.next];
  record.step = {0, 0, 0, 0};
  record.loss = 0;
}

/// A warp for each observation.
template <LossKind kKind>
ITO_DEVICE void choose_cotangents(const ObjectiveArguments& arguments) {
  const unsigned row = block_index() * (block_size() / 32) + warp_index();
  if (row >= arguments.rows) return;
  const unsigned long long first = static_cast<unsigned long long>(row) * arguments.samples;
  const LossSums sums = observation_loss(
      WarpReduction(), kKind, arguments.record->current.annealing, arguments.share,
      arguments.samples,
      PathSumRows<float>{arguments.log_likelihood + first, arguments.energy + first,
                         arguments.martingale + first, arguments.dropped + first},
      CotangentRows{arguments.by_log_likelihood + first, arguments.by_energy + first,
                    arguments.by_martingale + first});
  if (lane_index() != 0) return;
  double* losses = arguments.losses + 4ull * row;
  losses[0] = sums.loss;
  losses[1] = sums.elbo;
  losses[2] = sums.energy;
  losses[3] = sums.paths;
}

/// One block.
ITO_DEVICE void add_block_to_step(const TotalArguments& arguments) {
  double loss = 0, elbo = 0, energy = 0, observations = 0, non_finite = 0, log_scale = 0;
  for (unsigned row = thread_index(); row < arguments.rows; row += block_size()) {
    const double* one = arguments.losses + 4ull * row;
    loss += arguments.share * one[0];
    elbo += one[1];
    energy += one[2];
    observations += one[3] > 0 ? 1.0 : 0.0;
    non_finite += static_cast<double>(arguments.samples) - one[3];
  }
  if (arguments.log_scale_gradient != nullptr) {
    for (unsigned path = thread_index(); path < arguments.paths; path += block_size()) {
      if (arguments.dropped[path]) continue;
      log_scale +=
          static_cast<double>(arguments.by_log_likelihood[path]) * arguments.log_scale_slopes[path];
    }
  }
  const BlockReduction block;
  loss = block.sum(loss);
  elbo = block.sum(elbo);
  energy = block.sum(energy);
  observations = block.sum(observations);
  non_finite = block.sum(non_finite);
  log_scale = block.sum(log_scale);
  if (thread_index() != 0) return;
  TrainingRecord& record = *arguments.record;
  record.loss += loss;
  record.step.elbo += elbo;
  record.step.energy += energy;
  record.step.observations += observations;
  record.step.non_finite += non_finite;
  if (arguments.log_scale_gradient != nullptr)
    *arguments.log_scale_gradient += static_cast<float>(log_scale);
}

/// Blocks share the gradient in turns.
ITO_DEVICE void add_squares(const NormArguments& arguments) {
  double sum = 0;
  for (unsigned long long p = global_index(); p < arguments.count;
       p += static_cast<unsigned long long>(grid_size()) * block_size()) {
    const auto g = static_cast<double>(arguments.gradient[p]);
    sum += g * g;
  }
  sum = BlockReduction().sum(sum);
  if (thread_index() == 0) arguments.partials[block_index()] = sum;
}

/// One warp. Decides whether the step may be taken, as `acceptable` does on the host, and adds it
/// to the epoch.
ITO_DEVICE void finish_step(const FinishArguments& arguments) {
  double squares = 0;
  for (unsigned i = lane_index(); i < arguments.partial_count; i += 32)
    squares += arguments.partials[i];
  const double norm = sqrt(WarpReduction().sum(squares));
  if (lane_index() != 0) return;
  TrainingRecord& record = *arguments.record;
  record.gradient_norm = norm;
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
