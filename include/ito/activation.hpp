#pragma once

#ifndef __CUDACC_RTC__  // the kernels read the enumeration alone
#include <string_view>
#endif

// Every activation, by the name it has in JSON too, and whether nets take it everywhere or only as
// the output of a diffusion. Their formulas are in kernels/arithmetic/activation.cuh.
// clang-format off
#define ITO_ACTIVATIONS(row) \
  row(identity, everywhere) \
  row(relu, everywhere) \
  row(tanh, everywhere) \
  row(sigmoid, everywhere) \
  row(softplus, everywhere) \
  row(silu, everywhere) \
  row(lipswish, everywhere) \
  row(gelu, everywhere) \
  row(exp, diffusion_output) \
  row(elu, everywhere)
// clang-format on

#pragma GCC visibility push(default)
namespace ito {

/// Element-wise functions on hidden layers and outputs. `lipswish(x) = 0.909 silu(x)`; `gelu` is
/// the exact (erf) form; `exp` is accepted as the output of a diffusion only.
enum class Activation {
#define ITO_ROW(name, use) name,
  ITO_ACTIVATIONS(ITO_ROW)
#undef ITO_ROW
};

#define ITO_ROW(name, use) +1
inline constexpr int activation_count = 0 ITO_ACTIVATIONS(ITO_ROW);
#undef ITO_ROW

#ifndef __CUDACC_RTC__

/// Where a net may have an activation.
enum class ActivationUse { everywhere, diffusion_output };

struct ActivationProperties {
  Activation activation;
  std::string_view name;
  ActivationUse use;
};

/// In the order of the enumeration.
inline constexpr ActivationProperties activation_table[] = {
#define ITO_ROW(name, use) {Activation::name, #name, ActivationUse::use},
    ITO_ACTIVATIONS(ITO_ROW)
#undef ITO_ROW
};

/// The name used in JSON, for example "softplus".
std::string_view name(Activation activation);

/// The inverse of `name`. Throws ito::Error naming `field` when `text` is no activation.
Activation parse_activation(std::string_view text, std::string_view field = "activation");

#endif

}  // namespace ito
#pragma GCC visibility pop

#undef ITO_ACTIVATIONS
