#pragma once

namespace ito {

/// Element-wise functions on hidden layers and outputs. `lipswish(x) = 0.909 silu(x)`; `gelu` is
/// the exact (erf) form; `exp` is accepted as the output of a diffusion only.
enum class Activation { identity, relu, tanh, sigmoid, softplus, silu, lipswish, gelu, exp };

}  // namespace ito
