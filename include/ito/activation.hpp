#pragma once

#include <ito/activation_kind.hpp>

#include <string_view>

namespace ito {

/// The name used in JSON, for example "softplus".
std::string_view name(Activation activation);

/// The inverse of `name`. Throws ito::Error naming `field` when `text` is no activation.
Activation parse_activation(std::string_view text, std::string_view field = "activation");

}  // namespace ito
