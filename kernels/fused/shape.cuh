// A model as the kernels on tensor cores see it: its layout and where its parameters go, as
// constants.
#pragma once

#include "kernels/fused/sources.cuh"

namespace ito::cuda {

/// One net of a shape.
template <class Shape, int kNet>
struct FusedNet {
  static constexpr NetLayout kLayout = Shape::kLayout.nets[kNet];
  static constexpr int kLayers = kLayout.spec.layers, kRows = kLayout.spec.rows;
  static constexpr bool kTime = kLayout.spec.time > 0, kContext = kLayout.spec.context > 0;
  static constexpr bool kHasBias = kLayout.spec.has_bias;
  static constexpr Activation kHidden = kLayout.spec.hidden, kOutput = kLayout.spec.output;
  static constexpr int kTimeWeights = kLayout.time_weights, kBiasTiles = kLayout.bias_tiles();

  ITO_INLINE static consteval LayerLayout layer(int l) { return kLayout.layers[l]; }
};

/// Which kernel a shape is for: one that evaluates nets in the time loop, or one of a step, between
/// whose launches nets are evaluated.
enum class FusedKernel { simulate, adjoint, step };

/// A model as a kernel on tensor cores sees it. `Model::shared_memory`: bytes that a block may ask
/// for; `Model::refined`: for requests whose noise is defined on other steps than the grid's;
/// `Model::split`: for adjoints whose martingale's cotangent goes to states alone;
/// `Model::own_grids`: for requests with a grid for each observation; `Model::wgmma`: for devices
/// that have it; `Model::unit_tiles`: that of `fused_layout`.
template <class Model, class P, FusedKernel kKernel>
struct FusedShape : SpecConstants<Model> {
  static constexpr PackedFormat kFormat = P::kFormat;
  static constexpr FusedLayout kLayout =
      fused_layout(Model::spec, P::kFormat, Model::shared_memory, Model::wgmma,
                   kKernel == FusedKernel::step ? 0 : Model::unit_tiles);
  static constexpr FusedLaunch kLaunch = kKernel == FusedKernel::simulate  ? kLayout.simulate
                                         : kKernel == FusedKernel::adjoint ? kLayout.adjoint
                                                                           : FusedLaunch{};
  using Drift = FusedNet<FusedShape, drift_net>;
  using Diffusion = FusedNet<FusedShape, diffusion_net>;
  using Control = FusedNet<FusedShape, control_net>;
  static constexpr bool kRefined = Model::refined, kSplit = Model::split;
  static constexpr bool kOwnGrids = Model::own_grids;
  static constexpr bool kSharedParameters = kLaunch.shared_parameters;
  static constexpr bool kWarpgroups = kLayout.warpgroups;  ///< whether a step's products are wgmma
  static constexpr int kWarps = kLaunch.warps, kStageBytes = kLaunch.stage_bytes,
                       kScratchBytes = kLaunch.scratch_bytes;
  static constexpr bool kSharesUnits = kLaunch.shares_units;
  static constexpr int kTiles = kLaunch.tiles;
  static constexpr int kWarpStage = kLayout.warp_stage, kUnitBuffer = kLayout.unit_buffer;
  static constexpr int kSigma = kLayout.vectors.sigma.offset,
                       kInverseSigma = kLayout.vectors.inverse_sigma.offset;
  static constexpr int kControlValue = kLayout.vectors.control_value.offset;
  static constexpr int kInitialValue = kLayout.vectors.initial_value.offset;
  static constexpr int kInitialStd = kLayout.vectors.initial_log_std.offset;
  static constexpr int kFragments =  ///< that the kernel reads
      kKernel == FusedKernel::simulate ? kLayout.forward_fragments : kLayout.fragment_count;
  static constexpr int kNumberCount = kLayout.number_count;
  static constexpr int kSlotCount = kLayout.slot_count, kSumCount = kLayout.sum_count();

  // For parameters.cuh.
  static constexpr int kFirstFragments = kLayout.first_fragments,
                       kPackedFragments = kLayout.fragment_count;
  ITO_INLINE static constexpr PackedNumber fragment_source(int fragment, int lane, int j) {
    return cuda::fragment_source(kLayout, P::kFormat, fragment, lane, j);
  }
  ITO_INLINE static constexpr PackedNumber number_source(int number) {
    return cuda::number_source(kLayout, number);
  }
  ITO_INLINE static constexpr int sum_offset(int parameter) {
    return cuda::sum_offset(Model::spec, kLayout, parameter);
  }
};

/// A model whose nets are evaluated between launches.
template <class Model>
struct OutputsAlone {
  static constexpr ModelSpec spec = outputs_alone(Model::spec);
  static constexpr int shared_memory = Model::shared_memory;
  static constexpr bool refined = Model::refined, split = Model::split, wgmma = false;
  static constexpr bool own_grids = Model::own_grids;
  static constexpr int unit_tiles = 0;
};

}  // namespace ito::cuda
