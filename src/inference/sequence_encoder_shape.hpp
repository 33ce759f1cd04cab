#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ito/latent_model.hpp>

#include "model/shape.hpp"

namespace ito {

/// Of a GruEncoder with states of H numbers.
struct GruShape {
  NetShape input;                 ///< [inputs] to the gates' sums [3H]
  NetShape state;                 ///< [H] to those [3H]
  std::optional<NetShape> decay;  ///< a gap to the exponents [H] of a decay
  bool time = false;              ///< the last input
};

/// Of an AttentionEncoder with keys and values of H numbers and F time features.
struct AttentionShape {
  NetShape observation;  ///< [2D + U] to keys, then values [2H]
  NetShape query;        ///< [F] to queries, [heads, H/heads + F]
  int heads = 1;
  double horizon = 1;  ///< what times are measured in
};

/// An encoder of a series, resolved to numbers.
struct SequenceEncoderShape {
  int observed = 0;  ///< D
  int inputs = 0;    ///< U
  int reads = 0;     ///< observations, from the first; 0: all
  double shift = 0, scale = 1;
  std::variant<GruShape, AttentionShape> states;  ///< from observations to states
  NetShape context;                               ///< a state to its row of context
  /// The state at the first observation to mean and log std of q(x_0 | y), [2d].
  std::optional<NetShape> initial;

  int state() const { return context.inputs(); }
  /// Numbers of an observation as nets take it, with the inputs that rule before it.
  int observation() const { return 2 * observed + inputs; }
  /// About how many numbers are held for an observation.
  std::size_t numbers_held() const;
};

/// The shape of `encoder`, where it is one of a series. Appends its tensors: `encoder.gru.…`, or
/// `encoder.attention.…`, then `encoder.out.…` and, unless `initial_state` is 0,
/// `encoder.initial.…` for a state x_0 of that many numbers.
std::optional<SequenceEncoderShape> append_sequence_encoder(std::vector<Tensor>& tensors,
                                                            const Encoder& encoder,
                                                            const ModelShape& model, int observed,
                                                            int initial_state);

/// As `initialize_net` for all weights; those of the log std are 0, so that q(x_0 | y) has std 1.
void initialize_sequence_encoder(Parameters& parameters, const SequenceEncoderShape& shape,
                                 std::uint64_t seed);

/// Hidden sizes, heads and so on. Throws ito::Error.
void check_sequence_encoder(const GruEncoder& encoder);
void check_sequence_encoder(const AttentionEncoder& encoder);

}  // namespace ito
