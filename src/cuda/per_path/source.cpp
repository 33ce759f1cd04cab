#include "cuda/per_path/source.hpp"

#include <string>

#include "kernels/per_path/arguments.cuh"

namespace ito::cuda {
namespace {

const char* adjoint_of(GradientMethod method) {
  switch (method) {
    case GradientMethod::pathwise:
      return "scheme_pathwise<P, Shape>";
    case GradientMethod::stochastic_adjoint:
      return "scheme_adjoint<P, Shape, ito::cuda::SchemeReverse::stochastic>";
    case GradientMethod::reversible:
      return "scheme_adjoint<P, Shape, ito::cuda::SchemeReverse::reversible>";
    default:
      return "scheme_adjoint<P, Shape, ito::cuda::SchemeReverse::stored>";
  }
}

}  // namespace

KernelSource per_path_source(const ModelSpec& spec, Precision precision, GradientMethod method) {
  const bool pathwise = method == GradientMethod::pathwise;
  return KernelText({"device/parameters.cuh", "device/context_rows.cuh", "per_path/simulate.cuh",
                     pathwise ? "per_path/pathwise.cuh" : "per_path/adjoint.cuh"},
                    precision)
      .model(spec, 0, {})
      .shape("ThreadShape<Model>")
      .kernel("ito_pack", "PackArguments<Number>", "pack_parameters<P, Shape>")
      .kernel("ito_simulate", "SchemeSimulateArguments<Number>", "scheme_simulate<P, Shape>",
              scheme_threads)
      .kernel("ito_adjoint", "SchemeAdjointArguments<Number>", adjoint_of(method), scheme_threads)
      .kernel("ito_reduce", "ReduceArguments<Number>", "reduce_gradient<P, Shape>")
      .context_rows(spec)
      .context_row_gradients(spec)
      .named("per_path");
}

KernelSource tangent_source(const ModelSpec& spec, Precision precision) {
  const char* directions = "PackDirectionArguments<Number>";
  KernelText text({"device/parameters.cuh", "device/context_rows.cuh", "per_path/tangents.cuh"},
                  precision);
  text.model(spec, 0, {})
      .shape("ThreadShape<Model>")
      .kernel("ito_pack", "PackArguments<Number>", "pack_parameters<P, Shape>")
      .kernel("ito_pack_directions", directions, "pack_directions<P, Shape>")
      .kernel("ito_tangents", "SchemeTangentArguments<Number>", "scheme_tangents<P, Shape>",
              scheme_threads)
      .context_rows(spec);
  if (spec.bias_row() > 0)
    text.kernel("ito_bias_row_tangents", directions, "make_bias_row_tangents<P, Model>");
  return text.named("tangents");
}

}  // namespace ito::cuda
