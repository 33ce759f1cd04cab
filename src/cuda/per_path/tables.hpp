#pragma once

#include "cuda/buffer.hpp"
#include "cuda/kernel_source.hpp"
#include "kernels/per_path/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The kernels that take a path a thread, whatever the solver: `ito_pack`, `ito_simulate`,
/// `ito_adjoint`, `ito_reduce` and those of context rows. `method`: not pathwise.
KernelSource per_path_source(const ModelSpec& spec, Precision precision, GradientMethod method);

/// The scheme of a model's solver on the device and, of a stochastic adjoint, that of its vector
/// field, with the rows that a thread keeps for them. Uploaded when the engine is made.
template <class Real>
class SchemeTables {
 public:
  /// `first_row`: of the rows to hand out.
  SchemeTables(const ModelShape& shape, GradientMethod method, int first_row,
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
