#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>

#include <ito/activation.hpp>
#include <ito/error.hpp>

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
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) {
    throw Error(std::string(field), fmt::format("\"{}\"", text),
                fmt::format("{}", fmt::join(names, ", ")));
  }
  return static_cast<Activation>(found - names.begin());
}

}  // namespace ito
