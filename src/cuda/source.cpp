#include "cuda/source.hpp"

#include <fmt/format.h>

#include "kernels/layered/arguments.cuh"
#include "kernels/per_path/arguments.cuh"

namespace ito::cuda {
namespace {

/// A source, kernel by kernel.
class SourceText {
 public:
  SourceText(std::initializer_list<const char*> kernels, Precision precision) {
    for (const char* kernel : kernels) text_ += fmt::format("#include \"kernels/{}\"\n", kernel);
    const char* name = precision == Precision::fast   ? "Fast"
                       : precision == Precision::fp64 ? "Exact"
                                                      : "Faithful";
    text_ += fmt::format("using P = ito::cuda::{};\nusing Number = P::Number;\n", name);
  }

  SourceText& model(const ModelSpec& spec, int shared_memory, bool refined) {
    text_ += fmt::format(
        "struct Model {{\n"
        "  static constexpr int shared_memory = {};\n"
        "  static constexpr bool refined = {};\n"
        "  static constexpr ito::cuda::ModelSpec spec = {};\n}};\n",
        shared_memory, refined, initializer(spec));
    return *this;
  }
  SourceText& shape(const char* type) {
    text_ += fmt::format("using Shape = ito::cuda::{};\n", type);
    return *this;
  }
  /// `arguments`, a template over the number type, and `function`, one over P and `of`.
  SourceText& kernel(const std::string& name, const char* arguments, const char* function,
                     int threads, const std::string& of = ", Shape") {
    text_ += fmt::format(
        "ITO_KERNEL({}, ito::cuda::{}<Number>, {}) {{ ito::cuda::{}<P{}>(arguments); }}\n", name,
        arguments, threads, function, of);
    return *this;
  }
  SourceText& service(const char* name, const char* arguments, const char* function,
                      const std::string& of = ", Shape") {
    return kernel(name, arguments, function, 256, of);
  }
  SourceText& context_rows(const ModelSpec& spec) {
    return spec.bias_row() == 0
               ? *this
               : service("ito_bias_rows", "ContextArguments", "make_bias_rows", ", Model");
  }
  SourceText& context_row_gradients(const ModelSpec& spec) {
    if (spec.bias_row() == 0) return *this;
    const char* arguments = "ContextGradientArguments";
    return service("ito_reduce_rows", arguments, "reduce_rows_of_tiles", ", Model")
        .service("ito_context_gradient", arguments, "context_gradient", ", Model")
        .service("ito_context_weights", arguments, "context_weight_gradient", ", Model");
  }
  KernelSource named(const char* name) const { return {name, text_}; }

 private:
  std::string text_;
};

}  // namespace

FusedModel::FusedModel(const ModelShape& shape, Precision of, std::size_t shared_memory_per_block,
                       bool nets)
    : spec(spec_of(shape)),
      precision(of),
      shared_memory(static_cast<int>(shared_memory_per_block)),
      layout(fused_layout(nets ? spec : outputs_alone(spec), packed_format(of), shared_memory)) {}

KernelSource simulate_source(const FusedModel& model, bool refined) {
  return SourceText({"fused/simulate.cuh", "device/pack.cuh", "device/context_rows.cuh"},
                    model.precision)
      .model(model.spec, model.shared_memory, refined)
      .shape("FusedShape<Model, P, ito::cuda::FusedKernel::simulate>")
      .service("ito_pack", "PackArguments", "pack_parameters")
      .context_rows(model.spec)
      .kernel("ito_simulate", "SimulateArguments", "simulate", 32 * model.layout.simulate.warps)
      .named("simulate");
}

KernelSource adjoint_source(const FusedModel& model, bool refined) {
  return SourceText({"fused/adjoint.cuh", "device/reduce.cuh", "device/context_rows.cuh"},
                    model.precision)
      .model(model.spec, model.shared_memory, refined)
      .shape("FusedShape<Model, P, ito::cuda::FusedKernel::adjoint>")
      .kernel("ito_adjoint", "AdjointArguments", "adjoint", 32 * model.layout.adjoint.warps)
      .service("ito_reduce", "ReduceArguments", "reduce_gradient")
      .context_row_gradients(model.spec)
      .named("adjoint");
}

KernelSource layered_source(const FusedModel& model, bool refined) {
  constexpr int threads = 32 * layered_warps;
  const char *forward = "LayeredSimulateArguments", *back = "LayeredAdjointArguments";
  return SourceText({"layered/simulate.cuh", "layered/adjoint.cuh", "device/context_rows.cuh"},
                    model.precision)
      .model(model.spec, model.shared_memory, refined)
      .shape("FusedShape<ito::cuda::OutputsAlone<Model>, P, ito::cuda::FusedKernel::step>")
      .service("ito_pack", "PackArguments", "pack_parameters")
      .kernel("ito_start", forward, "layered_start", threads)
      .kernel("ito_step", forward, "layered_step", threads)
      .kernel("ito_finish", forward, "layered_finish", threads)
      .kernel("ito_add_cotangents", back, "layered_add_cotangents", threads)
      .kernel("ito_reverse", back, "layered_reverse", threads)
      .kernel("ito_initial_gradient", back, "layered_initial_gradient", threads)
      .service("ito_sigma_gradient", "SigmaGradientArguments", "sigma_gradient")
      .context_rows(model.spec)
      .context_row_gradients(model.spec)
      .named("layered");
}

KernelSource scheme_source(const ModelSpec& spec, Precision precision, GradientMethod method) {
  const char* reverse = method == GradientMethod::stochastic_adjoint ? "stochastic"
                        : method == GradientMethod::reversible       ? "reversible"
                                                                     : "stored";
  return SourceText({"device/pack.cuh", "device/reduce.cuh", "device/context_rows.cuh",
                     "per_path/adjoint.cuh"},
                    precision)
      .model(spec, 0, false)
      .shape("ThreadShape<Model>")
      .service("ito_pack", "PackArguments", "pack_parameters")
      .kernel("ito_simulate", "SchemeSimulateArguments", "scheme_simulate", scheme_threads)
      .kernel("ito_adjoint", "SchemeAdjointArguments", "scheme_adjoint", scheme_threads,
              fmt::format(", Shape, ito::cuda::SchemeReverse::{}", reverse))
      .service("ito_reduce", "ReduceArguments", "reduce_gradient")
      .context_rows(spec)
      .context_row_gradients(spec)
      .named("scheme");
}

}  // namespace ito::cuda
