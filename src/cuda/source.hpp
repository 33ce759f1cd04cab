#pragma once

#include "cuda/gpu.hpp"
#include "cuda/layout.hpp"

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

}  // namespace ito
