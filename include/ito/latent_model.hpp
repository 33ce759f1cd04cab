#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include <ito/likelihood.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// No encoder: the control takes no context.
struct NoEncoder {};
/// c = scale · (y − shift), flattened; needs context = size of y.
struct IdentityEncoder {
  double shift = 0.0;
  double scale = 1.0;
};
/// c = net(scale · (y − shift)): all observation times of y, flattened, to [context steps,
/// context]. `net.time` is not used.
struct MlpEncoder {
  Mlp net{};
  double shift = 0.0;
  double scale = 1.0;
};

// Encoders give c alone: the model's inputs, which the data bring, stand before it in a row of
// context. Those of series read them too: of the interval that ends at i, behind (v_i, m_i).

// Encoders that read the observations as a series, at whatever times they are made and with numbers
// missing. They read from the last observation to the first, so row i of the context, for the
// interval that ends at observation i, sees observations i, i + 1, … only: what the posterior there
// depends on beside the state (Krishnan et al. 2017; Li et al. 2020). They need as many context
// steps as save steps: 0 and then the save steps but the last. A row of the context is
// W_out h_i + b_out of a state h_i. With `initial` the state at the first observation gives, by an
// affine map of its own, mean and log std [2d] of a Gaussian posterior of X_0, whose prior is the
// model's GaussianInitial: paths start there, and log q(X_0|y)/p(X_0) is part of their weight, its
// mean KL(q‖p) of E and the rest of M. D numbers enter as v = scale · (y − shift), a missing one as
// 0, and a mask m that is 1 where there is one and 0 where it is missing. Times are in the model's
// units. One that `reads` the first n observations alone, times without any number not counted,
// reads from the n-th on, and the intervals after that one have the row of the first, which has
// seen all n: the bound is then that of a posterior that knows so much, and what it learns is to
// forecast the rest (Rubanova et al. 2019; Li et al. 2020, section 7.3).

/// h_i = GRU(input_i, h_{i+1}), PyTorch's, with h = 0 after the last observation. The input is
/// (v_i, m_i, t_{i+1} − t_i), with a gap of 0 at the last observation, and then t_i.
struct GruEncoder {
  int hidden = 64;  ///< H, 1 to 1024
  /// Over the gap the state decays, h_{i+1} ← exp(−max(0, w (t_{i+1} − t_i) + b)) ∘ h_{i+1}, before
  /// it enters: GRU-D (Che et al. 2018), with parameters w and b [H].
  bool decay = false;
  bool time = true;      ///< whether t_i is an input: a control can so know how far off t_i is
  bool initial = false;  ///< also the posterior of X_0 (below)
  int reads = 0;         ///< how many observations, from the first; 0: all
  double shift = 0.0;
  double scale = 1.0;
};
/// Attention of the time t_i to the observations j ≥ i, without recurrence. Time enters by features
/// φ(s) = (s, e^−s, e^−4s, e^−16s, …), s in units of the model's horizon: t_i by those of t_i −
/// t_0, from the first observation, and the gap from t_i to t_j by its own. Head by head, with
/// queries q_i affine in φ(t_i − t_0) and k_j, w_j the outputs of a net of (v_j, m_j) with one
/// layer of H tanh units,
///     h_i = q_i + Σ_{j≥i} a_ij (w_j, φ(t_j − t_i)),   a_ij ∝ exp(q_i·(k_j, φ(t_j − t_i)) / √n),
/// where n is the length of q_i. The work grows with the square of the number of observations.
struct AttentionEncoder {
  int hidden = 64;       ///< H, 1 to 1024: of all heads together
  int heads = 2;         ///< a divisor of H
  int rates = 6;         ///< exponentials in φ, 1 to 12
  bool initial = false;  ///< also the posterior of X_0 (below)
  int reads = 0;         ///< as in GruEncoder
  double shift = 0.0;
  double scale = 1.0;
};
using Encoder = std::variant<NoEncoder, IdentityEncoder, MlpEncoder, GruEncoder, AttentionEncoder>;

/// η = x; needs D = state.
struct IdentityDecoder {};
/// η = net(x), the same net at every observation time. `net.time` is not used.
struct MlpDecoder {
  Mlp net{};
};
using Decoder = std::variant<IdentityDecoder, MlpDecoder>;

/// A deep latent Gaussian model in the diffusion limit: a latent diffusion, observed through a
/// decoder and a likelihood at the model's save steps, with an encoder that turns y into the
/// control's context.
struct LatentModel {
  Model model{};
  Encoder encoder{};
  Decoder decoder{};
  Likelihood likelihood{};
  int observed = 1;  ///< D, the size of y at one observation time
};

/// Checks everything, the parts against each other included. Throws ito::Error.
LatentModel validated(LatentModel latent);

/// JSON with the model's keys and `observed`, `encoder`, `decoder`, `likelihood`. Throws
/// ito::Error.
LatentModel parse_latent_model(std::string_view json);
/// What `parse_latent_model` reads back. Throws ito::Error where `validated` does.
std::string to_json(const LatentModel& latent);

/// The model's tensors, then `encoder.…`, `decoder.…`, `likelihood.…`.
Parameters zero_parameters(const LatentModel& latent);
/// The model's own as `initialize(latent.model, seed)`; weights of encoder and decoder ~
/// N(0, 1/fan_in), their biases 0, last layers included; a learned scale at its value.
Parameters initialize(const LatentModel& latent, std::uint64_t seed);

}  // namespace ito
#pragma GCC visibility pop
