#pragma once

#include "cuda/gpu.hpp"
#include "cuda/model_spec.hpp"

namespace ito::cuda {

/// What kernels on tensor cores are compiled for, and how memory is laid out for them.
struct FusedModel {
  /// `shared_memory_per_block`: bytes that a block may ask for. `nets`: whether kernels evaluate
  /// them; otherwise that is done between launches.
  FusedModel(const ModelShape& shape, Precision precision, std::size_t shared_memory_per_block,
             bool nets = true);

  ModelSpec spec;
  Precision precision;
  int shared_memory;
  FusedLayout layout;
};

// Every source below is one include a kernel file, one initialiser of the ModelSpec and one
// instantiation a kernel. `refined`: for requests whose noise is defined on other steps than the
// grid's.

/// Kernels `ito_pack`, `ito_simulate` and, with a context, `ito_bias_rows`.
KernelSource simulate_source(const FusedModel& model, bool refined = false);
/// Kernels `ito_adjoint`, `ito_reduce` and, with a context, `ito_reduce_rows`,
/// `ito_context_gradient`, `ito_context_weights`.
KernelSource adjoint_source(const FusedModel& model, bool refined = false);
/// The kernels of a step between whose launches nets are evaluated: `ito_pack`, `ito_start`,
/// `ito_step`, `ito_finish`, `ito_add_cotangents`, `ito_reverse`, `ito_initial_gradient`,
/// `ito_sigma_gradient` and those of context rows.
KernelSource layered_source(const FusedModel& model, bool refined = false);
/// The kernels that take a path a thread, whatever the solver: `ito_pack`, `ito_simulate`,
/// `ito_adjoint`, `ito_reduce` and those of context rows. `method`: not pathwise.
KernelSource scheme_source(const ModelSpec& spec, Precision precision, GradientMethod method);

}  // namespace ito::cuda
