// What the host hands the kernels of a training step, and what they keep on the device between
// steps. R observations in a block of the minibatch, S paths each, N = R·S; T times of D numbers,
// L = T·D of them an observation.
#pragma once

#include "kernels/arithmetic/likelihood.cuh"
#include "kernels/arithmetic/objective.cuh"

namespace ito::cuda {

/// Whether log p has a scale: none, one, or one of each number of y.
enum class ScaleKind { none, one, each };

/// A scale as the terms of log p take it.
struct NumberScale {
  double log_scale;
  float factor;  ///< 1 / (scale √number), number being a Student-t's degrees of freedom, else 1
  float root;    ///< its square root
};
ITO_INLINE NumberScale number_scale(double log_scale, float number) {
  const double factor =
      Math<double>::exp(-log_scale) / Math<double>::sqrt(static_cast<double>(number));
  return {log_scale, static_cast<float>(factor), static_cast<float>(Math<double>::sqrt(factor))};
}

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
  double loss;       ///< of the step
  double log_scale;  ///< of the last block, by the loss: the gradient of the one learned scale
  double norms;      ///< over the epoch's steps
  double clip;       ///< what the gradient is multiplied by
  unsigned next;     ///< the next step
  unsigned failed;   ///< 1 from the first step on that must not be taken: nothing moves then
  unsigned failed_step;
  double failed_loss, failed_norm, failed_non_finite, failed_observations;
};

/// y, its constants and scale · (y − shift) of a block; with a small encoder, its outputs.
struct EncodeArguments {
  TrainingRecord* record;
  const StepEntry* steps;
  const unsigned* order;         ///< of the epoch
  const float* values;           ///< [count, L]
  const RowConstant* constants;  ///< [count]
  const float* parameters;
  float* y;                      ///< [R, L]
  RowConstant* block_constants;  ///< [R]
  float* scaled;                 ///< [R, L] or null
  float* hidden;                 ///< [R, hidden channels]: z of hidden layers
  float* slopes;                 ///< [R, outputs]: f'(z) of the last layer
  float* outputs;                ///< [R, outputs]
  double shift, scale;
  unsigned block, rows;     ///< the block's first observation in the minibatch, R
  unsigned length;          ///< L
  const float* log_scales;  ///< [D] parameters: scales of each number that are learned; or null
  NumberScale* scales;      ///< [D], made of them
  unsigned observed;        ///< D
  float number;             ///< the likelihood's count or degrees of freedom
};

/// From the cotangents of a small encoder's outputs to its gradient.
struct EncodeBackArguments {
  const float* parameters;
  const float* y;  ///< [R, L]
  const float* hidden;
  const float* slopes;
  const float* cotangents;  ///< [R, outputs]
  float* sums;              ///< [blocks, parameters of the net]
  double shift, scale;
  unsigned rows, length;
};

/// Zeros for the rows of dropped paths.
struct DroppedArguments {
  const unsigned char* dropped;
  float* rows;
  unsigned long long count;  ///< numbers in all
  unsigned width;            ///< of a path
};

/// What a path has in its energy and martingale for where it starts.
struct InitialSums {
  double energy, martingale;
};

/// From the states, or where the decoder is not small from η, to log p(y|η), the loss and its
/// derivatives by the three sums of each path.
struct DecodeArguments {
  TrainingRecord* record;
  const float* parameters;
  const float* x;                ///< [N·T, D or the decoder's inputs]
  const float* y;                ///< [R, L]
  const RowConstant* constants;  ///< [R]
  const float* log_scale;        ///< the parameter of one scale, or null
  const NumberScale* scales;     ///< [D] of scales of each number, or null
  const InitialSums* initial;    ///< [N], added to the next two, or null
  float* energy;                 ///< [N]
  float* martingale;
  unsigned char* dropped;    ///< [N], set where log p is not finite or a sum is too large
  float* hidden;             ///< [N·T, hidden channels]: z of hidden layers
  float* slopes;             ///< [N·T, D]: ∂ log p by z of the last layer, or by η
  double* values;            ///< [N·T]: log p of a row, without constants
  double* log_scale_slopes;  ///< [N·T]
  float* scale_slopes;  ///< [N·T, D]: ∂ log p by the logarithm of each number's scale, or null
  float* by_scales;     ///< [R, D]: the loss by them
  double* log_likelihood;   ///< [N]
  CotangentRows by;         ///< [N]
  CotangentRows posterior;  ///< [N]: where encoder and control have a loss of their own
  double* losses;           ///< [R, loss_numbers]
  unsigned* arrivals;       ///< [R + 1], zeros between launches
  double fixed_log_scale;   ///< where there is no parameter
  double share;             ///< of an observation in the minibatch
  float number;             ///< the likelihood's count or degrees of freedom
  unsigned observations, samples, times, observed;
};
inline constexpr unsigned loss_numbers = 5;  ///< loss, elbo, energy, finite paths, log scale

/// From the loss's derivatives to the cotangents of states, or of η, and a decoder's gradient.
struct DecodeBackArguments {
  const float* parameters;
  const float* x;       ///< [N·T, inputs]
  const float* hidden;  ///< as above
  const float* slopes;
  const float* by_log_likelihood;
  float* cotangents;  ///< as x
  float* sums;        ///< [blocks, parameters of the net]
  unsigned rows;      ///< N·T
  unsigned times, observed;
};

/// Where the gradient of a run of parameters comes from: the sum of `parts` rows of `count`.
struct GradientPart {
  const float* sums;
  unsigned first, count, parts;
};

inline constexpr int gradient_parts = 6;

/// The gradient of a block, or the last one's part of it, and then its norm and whether the step
/// may be taken.
struct CollectArguments {
  TrainingRecord* record;
  float* gradient;  ///< [P]
  /// Of the model, the control where its sweep is another, a small encoder, a small decoder, many
  /// scales, the prior of X_0.
  GradientPart parts[gradient_parts];
  const unsigned char* fixed;  ///< [P], 1 where a parameter keeps its value; or null
  double* partials;            ///< [blocks of the launch]: sums of squares
  unsigned* arrivals;          ///< 0 between launches
  unsigned count, log_scale;   ///< P; the place of the one learned scale, or P
  unsigned adds;               ///< whether `gradient` has a part of it already
  unsigned finishes;           ///< whether the block is the step's last
  double clip_norm;            ///< 0: never
  double most_non_finite;      ///< paths
};
inline constexpr unsigned collect_rows = 8;  ///< threads that share a parameter's sum

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
