#include <ranges>

#include <ito/activation.hpp>

#include "model/names.hpp"

namespace ito {

std::string_view name(Activation activation) {
  return activation_table[static_cast<std::size_t>(activation)].name;
}

Activation parse_activation(std::string_view text, std::string_view field) {
  return parse_name<Activation>(
      std::views::transform(activation_table, &ActivationProperties::name), text, field);
}

}  // namespace ito
