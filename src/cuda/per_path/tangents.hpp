#pragma once

#include <memory>
#include <span>

#include <ito/plan.hpp>

#include "cuda/gpu.hpp"
#include "model/shape.hpp"

namespace ito::cuda {

/// Tangents along directions that a call gives, of any model and solver, a path a thread, whatever
/// kernels a plan's paths and gradients take.
template <class Real>
class DeviceTangents {
 public:
  virtual ~DeviceTangents() = default;
  /// As Engine::tangents. Directions pass through the device's memory in parts; it grows at the
  /// first call of a size.
  virtual void run(std::span<const Real> parameters, const BasicRequest<Real>& request,
                   const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs) = 0;
};

/// Compiles the kernels. What directions take and give there goes in parts of up to `limit` bytes,
/// or one direction at a time.
template <class Real>
std::unique_ptr<DeviceTangents<Real>> make_device_tangents(const ModelShape& shape,
                                                           Precision precision, std::size_t limit,
                                                           std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
