#include <cstddef>

#include <ito/activation.hpp>
#include <ito/gradient_method.hpp>
#include <ito/version.hpp>

#include "model/text.hpp"

namespace ito {
namespace {

constexpr GradientMethodProperties method_table[] = {
    {GradientMethod::adjoint, "adjoint",
     "exact gradient of the discrete chain, from stored or recomputed states"},
    {GradientMethod::pathwise, "pathwise",
     "the same number forwards: sensitivity equations in blocks of directions; no states stored, "
     "cost grows with the parameters"},
    {GradientMethod::stochastic_adjoint, "stochastic-adjoint",
     "the backward Stratonovich equation on the same path; no states stored, right as steps "
     "vanish"},
    {GradientMethod::reversible, "reversible",
     "exact gradient of the discrete chain, states recovered by undoing steps; no states stored"},
};

}  // namespace

std::string_view name(Activation activation) {
  return activation_table[static_cast<std::size_t>(activation)].name;
}

Activation parse_activation(std::string_view text, std::string_view field) {
  return parse_name<Activation>(activation_table, text, field, &ActivationProperties::name);
}

std::span<const GradientMethodProperties> gradient_methods() { return method_table; }

std::string_view name(GradientMethod method) {
  return method_table[static_cast<std::size_t>(method)].name;
}

GradientMethod parse_gradient_method(std::string_view text) {
  return parse_name<GradientMethod>(method_table, text, "method", &GradientMethodProperties::name);
}

const char* version() { return ITO_VERSION; }

}  // namespace ito
