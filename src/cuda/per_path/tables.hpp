#pragma once

#include "cuda/buffer.hpp"
#include "kernels/per_path/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The scheme of a model's solver on the device and, of a stochastic adjoint, that of its vector
/// field, with the rows that a thread keeps for them, for a gradient that is pathwise also along
/// its directions. Uploaded when the engine is made.
template <class Real>
class SchemeTables {
 public:
  /// The first rows, `net_rows`, are the nets'.
  SchemeTables(const ModelShape& shape, GradientMethod method, int net_rows,
               const std::shared_ptr<Gpu>& gpu);

  /// But for the scratch memory and the groups.
  const SchemeArguments<Real>& arguments() const { return arguments_; }
  /// Rows of a chain (Scheme).
  int carried() const { return carried_; }
  int stored() const { return stored_; }

 private:
  GpuBuffer memory_;
  SchemeArguments<Real> arguments_{};
  int carried_, stored_;
};

}  // namespace ito::cuda
