// What the host hands the kernels of an encoder that reads series. R rows of up to S observations,
// which stand in slots in order of time: what is in a slot past a row's length, or past what is
// read of it, takes no part. D numbers of an observation, U inputs, H of a state.
#pragma once

#include "kernels/training/row_arguments.cuh"

namespace ito::cuda {

/// From the data to observations as nets take them, [R, S, width]: scaled numbers, 0 where one is
/// missing, a mask of 1 and 0, inputs; then, as far as `width` goes, features of the time since the
/// first observation, or without a horizon the gap to the next, 0 at the last, and the time.
struct ObserveArguments {
  PickedRows picked;
  const float* values;              ///< [count, S, D]
  const float* inputs;              ///< [count, S, U]
  const double* times;              ///< [count, S]
  const SeriesLength* all_lengths;  ///< [count]
  SeriesLength* lengths;            ///< [R]
  float* observations;
  double shift, scale;
  double horizon;  ///< what the times of features are measured in, or 0
  unsigned slots, observed, input_width, width;
};

/// One cell of every row, at one slot: from the state after it, which the cell of the next slot has
/// made, to its own. Rows of three gates are as PyTorch's, reset, update, candidate.
struct GruStepArguments {
  const SeriesLength* lengths;  ///< [R]
  const float* input_bias;      ///< [3H]
  const float* state_bias;      ///< [3H]
  float* from_input;            ///< [R, S, 3H]: W_ih x, in the place of which the gates come
  float* from_state;            ///< [R, S, 3H]: W_hh h; of the candidate, W_hh h + b_hh comes
  float* previous;              ///< [R, S, H]: h of each cell, decayed
  float* states;                ///< [R, S, H]
  const float* exponents;       ///< [R, S, H] of the decay from a slot's next state, or null
  unsigned rows, slots, hidden, slot;
};

/// The way back, from the first slot to the last.
struct GruStepBackArguments {
  const SeriesLength* lengths;
  const float* cotangents;     ///< [R, S, H] of states, without what other cells hand on
  const float* previous;       ///< [R, S, H]
  float* from_input;           ///< [R, S, 3H]: gates, in the place of which cotangents of sums come
  float* from_state;           ///< [R, S, 3H]: sums, likewise
  float* carried;              ///< [R, H]: of the h of the slot before; comes to be of this one's
  const float* exponents;      ///< [R, S, H] or null
  float* exponent_cotangents;  ///< [R, S, H]
  unsigned rows, slots, hidden, slot;
};

/// Of a query: the largest of its scores, the sum of exponentials beneath it, and the mean of the
/// cotangents of weights.
struct AttentionSums {
  double largest, sum, mean;
};

/// A head's queries are W + F numbers, of which F go with features of time; its keys and values W.
struct AttentionArguments {
  PickedRows picked;
  const SeriesLength* lengths;  ///< [R]
  const double* times;          ///< [count, S]
  const float* keys_values;     ///< [R, S, 2·heads·W]: keys of all heads, then values
  const float* queries;         ///< [R, S, heads, W + F]
  float* states;                ///< likewise
  AttentionSums* sums;          ///< [R, S, heads]
  double horizon;               ///< what gaps are measured in
  float scale;                  ///< of scores
  unsigned slots, heads, width, features;
};
struct AttentionBackArguments {
  AttentionArguments of;
  const float* cotangents;  ///< of states
  float* by_queries;        ///< cotangents, as the next
  float* by_keys_values;
};

/// The posterior of X_0 beside its prior, for R observations of S paths each, d channels.
struct InitialArguments {
  const TrainingRecord* record;  ///< whose step's seed is the noise's
  const float* heads;            ///< [R, 2d]: μ_q, then log σ_q
  const float* prior_mean;       ///< [d]
  const float* prior_log_std;    ///< [d]
  unsigned long long first_path;
  unsigned observations, samples, state;
};
struct DrawInitialArguments {
  InitialArguments of;
  float* x0;          ///< [N, d]
  InitialSums* sums;  ///< [N]
};
struct ReverseInitialArguments {
  InitialArguments of;
  const float* x0;  ///< [N, d] cotangents, as the next two, [N]
  const float* energy;
  const float* martingale;
  const unsigned char* dropped;  ///< [N]
  float* heads;                  ///< [R, 2d] cotangents
  float* by_prior;               ///< [R, 2d]: the gradient of mean, then of log std
  unsigned detach;               ///< the score of q
};

}  // namespace ito::cuda
