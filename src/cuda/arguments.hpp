#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "cuda/buffer.hpp"
#include "engine/workspace.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// What a model needs on the device that no call changes: the grid, the save steps and a fixed
/// initial point. Uploaded when the engine is made.
template <class Real>
class ModelConstants {
 public:
  ModelConstants(const ModelShape& shape, const std::shared_ptr<Gpu>& gpu);

  const GridStep<Real>* grid = nullptr;
  const int* save = nullptr;
  const Real* initial_point = nullptr;  ///< [state], for a fixed point

 private:
  GpuBuffer memory_;
};

inline constexpr std::uint64_t tile_paths = 16;  ///< that share a row of context

/// A call's tiles (TileMap).
struct TileCut {
  TileMap map;
  std::uint64_t observations, tiles;
  std::uint64_t most_tiles;  ///< that its workspace must have room for

  TileCut(std::uint64_t first, std::uint64_t paths, std::uint64_t rows, std::uint64_t per)
      : map{first, paths, rows == 1 ? paths : per, rows - 1, 0}, observations(rows) {
    if (rows == 1) {
      map.tiles_per_observation = tiles = tiles_of(first % tile_paths, paths);
    } else {
      const std::uint64_t unit = std::gcd(per, tile_paths), last = map.last_observation * per;
      map.tiles_per_observation = tiles_of(tile_paths - unit + first % unit, per);
      tiles = map.last_observation * map.tiles_per_observation +
              tiles_of((first + last) % tile_paths, paths - last);
    }
    most_tiles = std::max(tiles, most(paths, rows));
    if (tiles > std::numeric_limits<int>::max())
      throw Error("request.paths", std::to_string(paths), "fewer at a time, on CUDA");
  }

  /// Tiles of any call of up to so many paths, wherever the first lies; with several observations
  /// that share them evenly, of one whose first path is a multiple of paths_per_observation.
  static std::uint64_t most(std::uint64_t paths, std::uint64_t observations) {
    if (observations <= 1) return tiles_of(tile_paths - 1, paths);
    const std::uint64_t per = (paths + observations - 1) / observations;
    const std::uint64_t unit = std::gcd(per, tile_paths);
    if (unit == tile_paths) return tiles_of(tile_paths - 1, paths);
    return observations * tiles_of(tile_paths - unit, per);
  }
  /// Whether tiles go on from one global index / 16 to the next, as observations do.
  bool contiguous() const {
    return observations == 1 ||
           (map.paths_per_observation % tile_paths == 0 && map.first_path % tile_paths == 0);
  }

 private:
  /// Of paths from a place in the first one on.
  static std::uint64_t tiles_of(std::uint64_t place, std::uint64_t paths) {
    return (place + paths + tile_paths - 1) / tile_paths;
  }
};

/// Steps as kernels read them: the same numbers.
template <class Real>
const GridStep<Real>* device_steps(const BasicGridStep<Real>* steps) {
  using Own = BasicGridStep<Real>;
  using Device = GridStep<Real>;
  static_assert(sizeof(Own) == sizeof(Device) && alignof(Own) == alignof(Device));
  static_assert(offsetof(Own, time) == offsetof(Device, time) &&
                offsetof(Own, step) == offsetof(Device, step) &&
                offsetof(Own, root_step) == offsetof(Device, root_step) &&
                offsetof(Own, interval) == offsetof(Device, interval));
  return reinterpret_cast<const Device*>(steps);
}

/// What of a call the kernels are told, whatever engine launches them. Addresses in a workspace are
/// left out.
template <class Real>
PathArguments<Real> path_arguments(const ModelShape& shape, const ModelConstants<Real>& constants,
                                   const BasicRequest<Real>& request, const TileCut& cut) {
  PathArguments<Real> path{};
  path.own_grids = request.grid.empty() ? 0 : 1;
  path.grid = request.grid.empty() ? constants.grid : device_steps(request.grid.data());
  path.save = request.save.empty() ? constants.save : request.save.data();
  path.x0 = request.x0.empty() ? constants.initial_point : request.x0.data();
  path.x0_shared = request.x0.empty() || request.x0.size() == static_cast<std::size_t>(shape.state);
  path.refinement = request.refinement;
  path.seed = request.seed;
  static_assert(sizeof(std::uint64_t) == sizeof(unsigned long long));
  path.seed_on_device = reinterpret_cast<const unsigned long long*>(request.seed_on_device);
  path.map = cut.map;
  path.tiles = static_cast<int>(cut.tiles);
  path.steps = shape.steps;
  path.saves = static_cast<int>(shape.save.size());
  path.intervals = std::max(1, shape.intervals());
  return path;
}

/// What fused and per-path engines both keep in the workspace of a call.
template <class Real>
struct PathWorkspace {
  Tape tape;
  Real* numbers;
  Real* bias_rows;
  Real* states;
  unsigned char* status;
  Real* segments;
  Real* sums;
  Real* row_sums;
  Real* row_gradients;
  std::size_t bytes;
};

/// The same with those addresses that both passes read.
template <class Real>
PathArguments<Real> path_arguments(const ModelShape& shape, const ModelConstants<Real>& constants,
                                   const BasicRequest<Real>& request, const TileCut& cut,
                                   const PathWorkspace<Real>& space) {
  PathArguments<Real> path = path_arguments(shape, constants, request, cut);
  path.numbers = space.numbers;
  path.bias_rows = space.bias_rows;
  path.tape = space.states;
  path.tape_status = space.status;
  path.stride = static_cast<int>(space.tape.stride);
  path.checkpoints = static_cast<int>(space.tape.checkpoints);
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
