#pragma once

#include <memory>
#include <span>

#include <ito/plan.hpp>

#include "cuda/gpu.hpp"
#include "cuda/launches.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The kernels that take paths along directions. Their module has `ito_pack`,
/// `ito_pack_directions`, with a context `ito_bias_rows` and `ito_bias_row_tangents`, and with
/// fragments `ito_pack_fragments`.
template <class Real>
class TangentKernels {
 public:
  struct Sizes {
    int numbers = 0;          ///< packed, of the parameters or of a direction
    int fragments = 0;        ///< likewise
    std::size_t at_once = 1;  ///< directions that a path is taken along together
    std::uint64_t tiles = 1;  ///< of 16 paths that a block takes at a time
    std::size_t scratch = 0;  ///< numbers of a block's own
  };

  virtual ~TangentKernels() = default;
  virtual const GpuModule& module() const = 0;
  virtual Sizes sizes() const = 0;
  virtual void run(const TangentArguments<Real>& arguments, std::uint64_t groups,
                   std::uint64_t blocks, Real* scratch) const = 0;
};

/// Tangents along directions that a call gives. Directions pass through the device's memory in
/// parts, of up to `limit` bytes or one direction each; that memory grows at the first call of a
/// size.
template <class Real>
class DeviceTangents {
 public:
  virtual ~DeviceTangents() = default;
  /// As Engine::tangents.
  virtual void run(std::span<const Real> parameters, const BasicRequest<Real>& request,
                   const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs) = 0;
};

template <class Real>
std::unique_ptr<DeviceTangents<Real>> make_device_tangents(
    const ModelShape& shape, std::unique_ptr<TangentKernels<Real>> kernels, std::size_t limit,
    std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
