#pragma once

#include <string_view>

namespace ito {

/// Element-wise functions on hidden layers and outputs. `lipswish(x) = 0.909 silu(x)`; `gelu` is
/// the exact (erf) form; `exp` is accepted as the output of a diffusion only.
enum class Activation { identity, relu, tanh, sigmoid, softplus, silu, lipswish, gelu, exp };

/// The name used in JSON, for example "softplus".
std::string_view name(Activation activation);

/// The inverse of `name`. Throws ito::Error naming `field` when `text` is no activation.
Activation parse_activation(std::string_view text, std::string_view field);

}  // namespace ito
