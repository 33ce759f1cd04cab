#pragma once

#include "cuda/tangents.hpp"

namespace ito::cuda {

/// For any model and solver: a path a thread, along eight directions at once.
template <class Real>
std::unique_ptr<TangentKernels<Real>> make_per_path_tangents(const ModelShape& shape,
                                                             Precision precision,
                                                             std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
