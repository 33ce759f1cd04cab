#pragma once

#include "cuda/gpu.hpp"
#include "cuda/layout.hpp"
#include "cuda/scheme_layout.hpp"

namespace ito {

/// The translation unit of the forward kernel and what goes before it (kernels `ito_pack`,
/// `ito_bias_rows`, `ito_simulate`). `refined`: for requests whose noise is defined on other steps
/// than the grid's.
KernelSource simulate_source(const ModelShape& shape, const KernelLayout& layout,
                             Precision precision, bool refined = false);
/// That of the reverse kernel and what follows it (`ito_adjoint`, `ito_reduce`, `ito_reduce_rows`,
/// `ito_context_gradient`, `ito_context_weights`).
KernelSource adjoint_source(const ModelShape& shape, const KernelLayout& layout,
                            Precision precision, bool refined = false);

/// The outputs of a model's nets as nets of their own: what the layered kernels of a step see,
/// whose KernelLayout is that of this shape.
ModelShape outputs_of_nets(const ModelShape& shape);
/// Numbers of a bias row, or 0.
int context_row(const ModelShape& shape);
/// The translation unit of the layered kernels of a model's steps (`ito_pack`, `ito_start`,
/// `ito_step`, `ito_finish`, `ito_arrive`, `ito_reverse`, `ito_leave`, `ito_sigma_gradient` and the
/// kernels of context rows). `layout`: of `outputs_of_nets(shape)`.
KernelSource layered_source(const ModelShape& shape, const KernelLayout& layout,
                            Precision precision, bool refined = false);
/// That of the kernels between the products of any layered net (`ito_layer_forward_…` and
/// `ito_layer_backward_…` by activation, `ito_widen`, `ito_gather`).
inline constexpr int activation_kinds = static_cast<int>(Activation::exp) + 1;
KernelSource layers_source(Precision precision);

/// The translation unit of the kernels that take a path a thread, whatever the solver (`ito_pack`,
/// `ito_simulate`, `ito_adjoint`, `ito_reduce` and the kernels of context rows). `method`: not
/// pathwise.
KernelSource scheme_source(const ModelShape& shape, const SchemeLayout& layout, Precision precision,
                           GradientMethod method);

}  // namespace ito
