#pragma once

#include <algorithm>
#include <cstdint>

#include <ito/plan.hpp>

#include "cuda/buffer.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// What a model needs on the device that no call changes: the grid, the save steps and a fixed
/// initial point. Uploaded when the engine is made.
template <class Real>
class ModelConstants {
 public:
  ModelConstants(const ModelShape& shape, std::shared_ptr<Gpu> gpu);

  const GridStep<Real>* grid = nullptr;
  const int* save = nullptr;
  const Real* initial_point = nullptr;  ///< [state], for a fixed point

 private:
  GpuBuffer memory_;
};

/// What of a call the kernels are told, whatever engine launches them. Addresses in a workspace are
/// left out.
template <class Real>
PathArguments<Real> path_arguments(const ModelShape& shape, const ModelConstants<Real>& constants,
                                   const BasicRequest<Real>& request, std::uint64_t observations) {
  PathArguments<Real> path{};
  path.grid = constants.grid;
  path.save = constants.save;
  path.x0 = request.x0.empty() ? constants.initial_point : request.x0.data();
  path.x0_shared = request.x0.empty() || request.x0.size() == static_cast<std::size_t>(shape.state);
  path.refinement = request.refinement;
  path.seed = request.seed;
  static_assert(sizeof(std::uint64_t) == sizeof(unsigned long long));
  path.seed_on_device = reinterpret_cast<const unsigned long long*>(request.seed_on_device);
  path.first_path = request.first_path;
  path.paths = request.paths;
  path.paths_per_observation = observations == 1 ? request.paths : request.paths_per_observation;
  path.steps = shape.steps;
  path.saves = static_cast<int>(shape.save.size());
  path.intervals = std::max(1, shape.intervals());
  return path;
}

template <class Real>
SimulateArguments<Real> simulate_arguments(const PathArguments<Real>& path,
                                           const BasicOutputs<Real>& outputs) {
  return {path,
          outputs.states.data(),
          outputs.energy.data(),
          outputs.martingale.data(),
          outputs.interval_energy.data(),
          outputs.interval_martingale.data(),
          outputs.status.data()};
}

template <class Real>
AdjointArguments<Real> adjoint_arguments(const PathArguments<Real>& path,
                                         const BasicCotangents<Real>& cotangents,
                                         const BasicGradientOutputs<Real>& gradient,
                                         AdjointOptions options) {
  AdjointArguments<Real> arguments{};
  arguments.path = path;
  arguments.states = cotangents.states.data();
  arguments.energy = cotangents.energy.data();
  arguments.martingale = cotangents.martingale.data();
  arguments.interval_energy = cotangents.interval_energy.data();
  arguments.interval_martingale = cotangents.interval_martingale.data();
  arguments.x0_gradient = gradient.x0.data();
  arguments.detach_state = options.detach_state;
  arguments.detach_martingale_parameters = options.detach_martingale_parameters;
  return arguments;
}

}  // namespace ito::cuda
