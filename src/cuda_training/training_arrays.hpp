#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "cuda/layered/device_net.hpp"
#include "cuda_training/device_sequence_encoder.hpp"
#include "cuda_training/small_net.hpp"
#include "engine/workspace.hpp"
#include "inference/training_engine.hpp"
#include "kernels/training/training_arguments.cuh"

namespace ito::cuda {

/// Sizes of a training and of the blocks of its minibatches.
struct TrainingSizes {
  std::size_t count, batch;           ///< observations of an epoch, of a minibatch
  std::size_t observations, samples;  ///< of a block, at most; paths of each
  std::size_t times, observed, state;
  std::size_t context_numbers;  ///< of an observation
  std::size_t own_numbers;      ///< of them, those of an encoder
  std::size_t parameters, model_parameters;
  std::size_t scales;   ///< D where each number has one, else 0
  bool learned_scales;  ///< and they are parameters
  bool two_objectives;  ///< one of encoder and control alone
  std::size_t control;  ///< place of the control's first parameter, behind the model's others

  /// `memory`: bytes that the paths of a block may take.
  TrainingSizes(const TrainingTask& task, std::size_t memory);

  std::size_t paths() const { return observations * samples; }
  std::size_t row_numbers() const { return times * observed; }
  std::size_t state_numbers() const { return times * state; }
};

/// An encoder or decoder, of at most so many rows: small, wide, or none.
struct TrainingNet {
  TrainingNet(const std::optional<NetShape>& net, std::size_t rows, std::size_t shared_memory);
  void place(Arena& arena);

  std::size_t rows;
  SmallNet small;
  std::optional<DeviceNet<float>> wide;
  float* hidden = nullptr;  ///< of a small one: [rows, hidden channels]
  float* sums = nullptr;    ///< [blocks, parameters]
};

/// Device arrays of a training; R, N of the largest block.
struct TrainingArrays {
  TrainingRecord* record;
  StepEntry* steps;                          ///< of an epoch
  unsigned* order;                           ///< [count]
  float* values;                             ///< [count, L]
  RowConstant* constants;                    ///< [count]
  double *exact, *average, *first, *second;  ///< [P]
  float *parameters, *gradient;              ///< [P], parameters rounded from exact
  unsigned char* fixed;                      ///< [P], 1 where a parameter keeps its value
  float* model_gradient;                     ///< [model P]
  float* posterior_gradient;     ///< likewise, where the posterior has a loss of its own
  float* unused_gradient;        ///< [P], likewise: of a wide decoder by that loss
  double* partials;              ///< of the gradient's norm, one a block
  unsigned* arrivals;            ///< [R + 1] of decode, then 1 of collect
  float *y, *scaled;             ///< [R, L]; scaled is null where no encoder takes or gives it
  RowConstant* block_constants;  ///< [R]
  float *contexts, *context_slopes, *context_cotangents;  ///< of a small encoder
  float *states, *energy, *martingale;
  unsigned char* dropped;
  double *row_values, *log_scale_slopes;  ///< [N·T]
  NumberScale* scales;                    ///< [D] or none, as the next two
  float *scale_slopes, *by_scales;        ///< [N·T, D], [R, D] of learned ones
  double* log_likelihood;
  float* slopes;                   ///< [N·T, D]
  CotangentRows by, posterior_by;  ///< [N] by the loss of a path's sums, by the posterior's own
  float* state_cotangents;
  double* losses;                    ///< [R, loss_numbers]
  std::array<float*, 2> deltas;      ///< of wide nets' hidden layers, in turn
  std::byte *sums_begin, *sums_end;  ///< of wide nets' gradients

  void lay_out(Arena& arena, const TrainingSizes& sizes, TrainingNet& encoder, TrainingNet& decoder,
               std::optional<DeviceSequenceEncoder>& sequence);
};

/// Blocks of the launch that collects the gradient.
unsigned collect_blocks(std::size_t parameters);

}  // namespace ito::cuda
