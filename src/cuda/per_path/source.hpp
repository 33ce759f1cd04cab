#pragma once

#include "cuda/kernel_source.hpp"

namespace ito::cuda {

/// The kernels that take a path a thread, whatever the solver: `ito_pack`, `ito_simulate`,
/// `ito_adjoint` of the method, `ito_reduce` and those of context rows.
KernelSource per_path_source(const ModelSpec& spec, Precision precision, GradientMethod method);

/// Those of tangents along directions that a call gives: `ito_pack`, `ito_pack_directions`,
/// `ito_tangents` and, with a context, `ito_bias_rows` and `ito_bias_row_tangents`.
KernelSource tangent_source(const ModelSpec& spec, Precision precision);

}  // namespace ito::cuda
