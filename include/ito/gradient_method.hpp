#pragma once

#include <span>
#include <string_view>

#pragma GCC visibility push(default)
namespace ito {

/// How a gradient is computed; `gradient_methods()` says what each is good for.
enum class GradientMethod { adjoint, pathwise, stochastic_adjoint, reversible };

struct GradientMethodProperties {
  GradientMethod method;
  std::string_view name;
  std::string_view meaning;  ///< one line: what it computes, with which memory
};

/// The table of all gradient methods, in the order of the enumeration.
std::span<const GradientMethodProperties> gradient_methods();

std::string_view name(GradientMethod method);

/// From the name. Throws ito::Error with the names there are.
GradientMethod parse_gradient_method(std::string_view text);

}  // namespace ito
#pragma GCC visibility pop
