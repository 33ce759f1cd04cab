#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <ito/device.hpp>
#include <ito/network.hpp>

#include "inference/packed_rows.hpp"
#include "inference/sequence_encoder_shape.hpp"

namespace ito {

/// R series of up to S observations each, in order of time. What stands in a slot past a row's
/// length is not read.
struct SequenceRows {
  std::size_t slots = 0;          ///< S
  std::span<const float> y;       ///< [R, S, D]; NaN where a number is missing
  std::span<const double> times;  ///< [R, S], in the model's units
  std::span<const int> lengths;   ///< [R], each from 0 to S
  /// [R, S, U]: the inputs that rule on the interval that ends at each observation, if any.
  std::span<const float> inputs{};

  std::size_t rows() const { return lengths.size(); }
};

/// From packed observations to packed states; what differs between kinds of encoders.
template <class Real>
class SequenceStates {
 public:
  virtual ~SequenceStates() = default;
  /// states [N, shape.state()]
  virtual void forward(std::span<const Real> parameters, const SequenceRows& rows,
                       const PackedRows& packed, std::span<Real> states) = 0;
  /// Of the last `forward`, whose trace it uses up, as it does `cotangents` [N, shape.state()].
  /// Adds to `gradient`.
  virtual void backward(std::span<const Real> parameters, const PackedRows& packed,
                        std::span<Real> cotangents, std::span<Real> gradient) = 0;
};

/// An encoder of series (GruEncoder, AttentionEncoder), applied to rows outside the time loop. A
/// row's numbers do not depend, bit for bit, on other rows, their number, slots past its length or
/// threads; nor does the gradient on those slots or on threads. Holds its memory: one serves one
/// caller at a time, and allocates nothing once it has seen as many observations.
template <class Real>
class SequenceEncoder {
 public:
  SequenceEncoder(const SequenceEncoderShape& shape, Execution execution);

  /// Row i of `context` [R, S, C] is for the interval that ends at observation i and depends on the
  /// observations from i on, of those that are read; where there is none of them it is as row 0,
  /// and past a row's length it is 0. `initial` [R, 2d], unless empty, is the
  /// mean and then the log std of q(x_0 | y), affine in the state at the first observation; that of
  /// a row without observations is 0.
  void forward(std::span<const Real> parameters, const SequenceRows& rows, std::span<Real> context,
               std::span<Real> initial);

  /// For the rows and parameters of the last `forward`, once. Adds to `parameter_gradient`, laid
  /// out as `parameters`. Cotangents past a row's length are not read; `initial_cotangents` may be
  /// empty.
  void backward(std::span<const Real> parameters, std::span<const Real> context_cotangents,
                std::span<const Real> initial_cotangents, std::span<Real> parameter_gradient);

 private:
  /// Takes which slots there are and which are read.
  void pack(const SequenceRows& rows);
  /// use(entry of the first slot, row, slot) for every slot that is not read.
  template <class Use>
  void for_each_unread(const Use& use) const;
  std::size_t first_entry(std::size_t rank) const {
    return packed_.entry(rank, packed_.length(rank) - 1);
  }

  std::size_t state_, context_, slots_ = 0;  ///< state numbers, C, S
  int reads_;
  std::vector<int> lengths_, read_;  ///< [R], of the rows and of what is read of them
  std::unique_ptr<SequenceStates<Real>> source_;
  std::unique_ptr<BasicNetwork<Real>> context_net_, initial_net_;
  PackedRows packed_;
  /// [N, state] and, in `contexts_`, [N, C]; [R, state] at the first observation.
  std::vector<Real> states_, contexts_, cotangents_, first_, first_cotangents_;
};

template <class Real>
std::unique_ptr<SequenceStates<Real>> make_gru_states(const SequenceEncoderShape& shape,
                                                      Execution execution);
template <class Real>
std::unique_ptr<SequenceStates<Real>> make_attention_states(const SequenceEncoderShape& shape,
                                                            Execution execution);

/// How many observations of each row an encoder that `reads` so many reads, of all if 0: up to the
/// last of the first that have a number.
void take_read_lengths(int reads, const SequenceRows& rows, std::vector<int>& read);

/// Writes the observation in a slot as nets take it, [2D + U]: scaled numbers, 0 where one is
/// missing, then a mask of 1 and 0, then inputs.
template <class Real>
void write_observation(const SequenceEncoderShape& shape, const SequenceRows& rows, std::size_t row,
                       std::size_t slot, Real* to);

}  // namespace ito
