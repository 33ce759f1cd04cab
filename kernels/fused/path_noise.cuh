// The noise of a warp's 16 paths along the time loop.
#pragma once

#include "kernels/arithmetic/model_kinds.cuh"
#include "kernels/device/arguments.cuh"
#include "kernels/device/noise.cuh"

namespace ito::cuda {

/// The key of the noise.
template <class Number>
ITO_DEVICE unsigned long long seed_of(const PathArguments<Number>& arguments) {
  return arguments.seed_on_device == nullptr ? arguments.seed
                                             : load_read_only(arguments.seed_on_device);
}

/// The noise of the warp's paths, for a loop that takes steps in turn, forwards or backwards. Where
/// half of a tile's channels are idle their lanes draw the noise of a second step.
template <class P, class Shape>
class PathNoise {
  using Number = typename P::Number;
  static constexpr bool kTwoSteps = !Shape::kRefined && Shape::kNoise <= 4;
  /// Whether σ and 1/σ take care of what is beyond the last channel.
  static constexpr bool kAnyPadding = Shape::kDiffusion == DiffusionKind::constant_diagonal &&
                                      Shape::kControl == ControlKind::drift;

 public:
  ITO_DEVICE PathNoise(const PathArguments<Number>& arguments, unsigned long long tile)
      : arguments_(arguments), seed_(seed_of(arguments)), tile_(static_cast<unsigned>(tile)) {}

  /// z_k in tile n.
  ITO_DEVICE Tile<Number> at(int k, int n) {
    return kAnyPadding ? drawn(k, n) : within<Shape::kNoise>(drawn(k, n), n);
  }

 private:
  ITO_DEVICE Tile<Number> drawn(int k, int n) {
    const auto step = static_cast<unsigned>(k);
    if constexpr (Shape::kRefined) {
      return refined_tile<P>(seed_, tile_, step, n, arguments_.refinement);
    } else if constexpr (kTwoSteps) {
      const unsigned second = tile_column() / 2u, column = tile_column() % 2u;
      if (step / 2u != pair_) {
        pair_ = step / 2u;
        drawn_ = normal_lane<P>(seed_, tile_, 2u * pair_ + second, column, 0);
      }
      Tile<Number> z = drawn_;
      if (step % 2u != 0) {
        ITO_UNROLL
        for (int e = 0; e < 4; ++e) z.v[e] = shuffle_xor(z.v[e], 2u);
      }
      return z;
    } else {
      return normal_tile<P>(seed_, tile_, step, n, 0);
    }
  }

  const PathArguments<Number>& arguments_;
  unsigned long long seed_;
  unsigned tile_;        ///< of whose 64 bits the noise takes 32
  unsigned pair_ = ~0u;  ///< the steps 2·pair_ and 2·pair_ + 1 are in `drawn_`
  Tile<Number> drawn_;
};

}  // namespace ito::cuda
