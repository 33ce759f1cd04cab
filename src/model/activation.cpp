#include <array>

#include <ito/activation.hpp>

#include "model/names.hpp"

namespace ito {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 9> names{
    "identity", "relu", "tanh", "sigmoid", "softplus", "silu", "lipswish", "gelu", "exp"};

}  // namespace

std::string_view name(Activation activation) {
  return names.at(static_cast<std::size_t>(activation));
}

Activation parse_activation(std::string_view text, std::string_view field) {
  return parse_name<Activation>(names, text, field);
}

}  // namespace ito
