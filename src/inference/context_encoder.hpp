#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ito/latent_model.hpp>
#include <ito/network.hpp>

#include "inference/latent_shape.hpp"
#include "inference/sequence_encoder.hpp"

namespace ito {

/// The encoder of a latent model, whatever its kind: from observations to the plan's context, the
/// model's inputs before the control's own in each row, with its gradient. Owns its nets and
/// buffers for up to `capacity` observations.
template <class Real>
class ContextEncoder {
 public:
  /// `latent` is validated and `shape` belongs to it.
  ContextEncoder(const LatentModel& latent, const LatentShape& shape, std::size_t capacity,
                 Execution execution);

  /// Whether there is a gradient to make.
  bool has_parameters() const { return net_ || sequence_; }

  /// context [R, intervals, U + C] of `rows`, with as many slots as the model has save steps.
  /// Without times they are the save steps', without lengths every slot is there. An encoder that
  /// reads no series takes y alone; inputs are [R, intervals, U]. Nothing without a context.
  /// `initial` [R, 2d], unless empty, is the posterior of X_0 of an encoder that gives one.
  void forward(std::span<const Real> parameters, SequenceRows rows, std::span<Real> context,
               std::span<Real> initial);
  /// For the rows and parameters of the last `forward`, once; adds to `gradient`.
  void backward(std::span<const Real> parameters, std::span<const Real> context_cotangents,
                std::span<const Real> initial_cotangents, std::span<Real> gradient);

 private:
  void encode(std::span<const Real> parameters, SequenceRows rows, std::span<Real> context,
              std::span<Real> initial);
  /// Of rows [., U + C], the encoder's columns in `own_`; back from there.
  std::span<Real> own_rows(std::size_t rows) { return std::span(own_).first(rows * own_numbers_); }

  Encoder encoder_;
  std::unique_ptr<BasicNetwork<Real>> net_;
  std::optional<SequenceEncoder<Real>> sequence_;
  std::size_t row_numbers_;           ///< L = T·D
  std::vector<Real> scaled_;          ///< [capacity, L]
  std::span<Real> last_scaled_;       ///< of it, the rows of the last `forward`
  std::vector<double> save_times_;    ///< [capacity, T]
  std::vector<int> whole_lengths_;    ///< [capacity]
  std::size_t inputs_, own_numbers_;  ///< U, C
  /// [capacity, intervals, C], of a model with inputs: what the encoder gives, or its cotangent.
  std::vector<Real> own_;
};

/// scale · (y − shift) as the encoder says; y itself without an encoder.
template <class Real>
void scale_observations(const Encoder& encoder, std::span<const float> y, std::span<Real> scaled);

}  // namespace ito
