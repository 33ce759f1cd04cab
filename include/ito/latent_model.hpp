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
using Encoder = std::variant<NoEncoder, IdentityEncoder, MlpEncoder>;

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
