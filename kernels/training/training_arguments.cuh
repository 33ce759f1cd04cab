// What the host hands the kernels of a training step, and what they keep on the device between
// steps. R observations in a block of the minibatch, S paths each, N = R·S; L numbers an
// observation.
#pragma once

namespace ito::cuda {

/// What one step of an epoch is told.
struct StepEntry {
  unsigned long long seed;
  double annealing;
  double rate, correction, average_share;  ///< AdamFactors
  unsigned first;                          ///< place of its first observation in the epoch's order
  unsigned least_observations;             ///< that must have a finite path
};

/// Over the finite paths of a step's observations, or of an epoch's.
struct LossTotals {
  double elbo, energy;  ///< over observations
  double observations;  ///< with a finite path
  double non_finite;    ///< paths
};

/// One for a whole training.
struct TrainingRecord {
  StepEntry current;
  LossTotals step, epoch;
  double loss;           ///< of the step
  double gradient_norm;  ///< of the step, before clipping
  double norms;          ///< over the epoch's steps
  double clip;           ///< what the gradient is multiplied by
  unsigned next;         ///< the next step
  unsigned failed;       ///< 1 from the first step on that must not be taken: nothing moves then
  unsigned failed_step;
  double failed_loss, failed_norm, failed_non_finite, failed_observations;
};

struct BeginArguments {
  const StepEntry* steps;
  TrainingRecord* record;
};

/// y, its constants and scale · (y − shift), of a block.
struct GatherArguments {
  const TrainingRecord* record;
  const unsigned* order;    ///< of the epoch
  const float* values;      ///< [count, L]
  const double* constants;  ///< [count]
  float* y;                 ///< [R, L]
  double* block_constants;  ///< [R]
  float* scaled;            ///< [R, L] or null
  double shift, scale;
  unsigned block, rows;  ///< the block's first observation in the minibatch, R
  unsigned length;       ///< L
};

/// Zeros for the rows of dropped paths.
struct DroppedArguments {
  const unsigned char* dropped;
  float* rows;
  unsigned long long count;  ///< numbers in all
  unsigned width;            ///< of a path
};

struct CompareArguments {
  const float* y;            ///< [R, L]
  const float* eta;          ///< [N, L]
  const double* constants;   ///< [R]
  const float* log_scale;    ///< a parameter, or null
  double* log_likelihood;    ///< [N]
  float* slopes;             ///< [N, L], ∂ log p / ∂η
  double* log_scale_slopes;  ///< [N] or null
  unsigned char* dropped;    ///< [N], set where log p is not finite
  double fixed_log_scale;    ///< where there is no parameter
  float number;              ///< the likelihood's count or degrees of freedom
  unsigned paths, samples, length;
};

/// Derivatives by the three sums of each path, and what each observation adds.
struct ObjectiveArguments {
  const TrainingRecord* record;
  const double* log_likelihood;  ///< [N]
  const float* energy;
  const float* martingale;
  const unsigned char* dropped;
  float* by_log_likelihood;  ///< [N]
  float* by_energy;
  float* by_martingale;
  double* losses;  ///< [R, 4]: loss, elbo, energy, finite paths
  double share;
  unsigned rows, samples;
};

/// Cotangents of η from ∂ log p / ∂η, in place.
struct EtaArguments {
  const float* by_log_likelihood;  ///< [N]
  const unsigned char* dropped;
  float* slopes;  ///< [N, L]
  unsigned long long count;
  unsigned length;
};

/// Adds a block to the step.
struct TotalArguments {
  TrainingRecord* record;
  const double* losses;  ///< [R, 4]
  double share;
  unsigned rows, samples, paths;
  const float* by_log_likelihood;  ///< [N]
  const double* log_scale_slopes;  ///< [N]
  const unsigned char* dropped;
  float* log_scale_gradient;  ///< null without a learned scale
};

/// Partial sums of squares, one a block of threads.
struct NormArguments {
  const float* gradient;
  double* partials;
  unsigned count;
};

struct FinishArguments {
  TrainingRecord* record;
  const double* partials;
  unsigned partial_count;
  double clip_norm;        ///< 0: never
  double most_non_finite;  ///< paths
};

struct AdamArguments {
  const TrainingRecord* record;
  const float* gradient;
  double* parameters;
  double* first;
  double* second;
  double* average;
  float* rounded;  ///< the parameters as the other kernels take them
  unsigned count;
};

}  // namespace ito::cuda
