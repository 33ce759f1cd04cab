#pragma once

#include <optional>

#include "cuda/kernel_source.hpp"
#include "cuda/layered/step_net.hpp"
#include "engine/workspace.hpp"

namespace ito::cuda {

/// The kernels of a step between whose launches nets are evaluated, `ito_pack`,
/// `ito_sigma_gradient` and those of context rows.
KernelSource layered_source(const FusedModel& model, CallKind calls = {});

/// Those of a step (kernels/layered/simulate.cuh, kernels/layered/adjoint.cuh).
struct StepKernels {
  StepKernels(Gpu& gpu, const KernelSource& source);

  std::shared_ptr<const GpuModule> module;
  GpuKernel start, step, finish, add_cotangents, reverse, initial_gradient;
};

/// The gradient of a vector of parameters: a sum of rows [B, stride].
template <class Real>
struct SummedRows {
  int width = 0;  ///< 0: there is no such vector
  std::size_t parameter = 0;
  Real* rows = nullptr;
  Real* sums = nullptr;  ///< [tiles of a block, width]

  int stride() const { return row_stride(width); }
};

/// One call's arrays in the workspace. B = rows of a block, D = state padded to tiles.
template <class Real>
struct LayeredWorkspace {
  explicit LayeredWorkspace(const StepWork<Real>& with) : work(with) {}

  Tape tape;
  std::byte* fragments = nullptr;
  Real* numbers = nullptr;
  Real* bias_rows = nullptr;        ///< [observations, intervals, row]
  Real* row_sums = nullptr;         ///< [tiles, intervals, row]
  Real* row_gradients = nullptr;    ///< as bias_rows
  Real* states = nullptr;           ///< [blocks, checkpoints, B, D], with excesses twice
  Real* segment = nullptr;          ///< [stride, B, D]
  unsigned char* status = nullptr;  ///< [tiles, 16]
  std::array<Real*, 2> x{};         ///< [B, D]: states without a place on the tape take turns
  Real* excess = nullptr;           ///< [B, D]: of states, likewise
  std::byte* running = nullptr;     ///< [tiles of a block, 32] RunningSums
  Real *masked_x = nullptr, *costate = nullptr, *costate_excess = nullptr;  ///< [B, D]
  Real* x_cotangent = nullptr;                                              ///< [B, D]
  Real* mixed = nullptr;           ///< [B, noise padded]: w of a constant mixing σ
  Real* mixed_gradient = nullptr;  ///< [state, noise padded]
  std::optional<StepNet<Real>> drift, diffusion, control;
  SummedRows<Real> control_value, sigma, initial, deviation;
  StepWork<Real> work;
  std::byte *sums_begin = nullptr, *sums_end = nullptr;  ///< every sum of gradients
  std::size_t bytes = 0;
};

/// One call's blocks on their way through the time loop. Every method puts work on the stream.
template <class Real>
class LayeredCall {
 public:
  const ModelShape& shape;
  const StepKernels& kernels;
  const LayeredWorkspace<Real>& space;
  Stream stream;
  const Real* parameters;
  PathArguments<Real> path;

  /// Block `b` of the call, whose first tile has that place in its block.
  BlockTiles tiles(std::uint64_t first_place, std::uint64_t b) const;

  /// From x_0 to outputs and status, keeping states where `record`.
  void forward(std::uint64_t b, const BlockTiles& tiles, const SimulateArguments<Real>& call,
               bool record) const;
  /// Back from the kept states, adding to the sums of gradients. `weights`: whether those of
  /// parameters are wanted.
  void backward(std::uint64_t b, const BlockTiles& tiles, const AdjointArguments<Real>& call,
                bool weights) const;

 private:
  using Nets = std::array<const std::optional<StepNet<Real>>*, 3>;

  int width() const { return row_stride(shape.state); }
  std::size_t block_size() const {
    return static_cast<std::size_t>(space.work.rows) * static_cast<std::size_t>(width());
  }
  Real* on_tape(std::uint64_t b, int k) const;
  StepCall<Real> at(const BlockTiles& tiles, int k) const;
  NetOutputs<Real> outputs() const;
  NetOutputs<Real> biases() const;
  NetScales scales(int k) const;
  LayeredAdjointArguments<Real> adjoint_arguments(const BlockTiles& tiles,
                                                  const AdjointArguments<Real>& call) const;
  template <class Arguments>
  void launch_step(const GpuKernel& kernel, const BlockTiles& tiles,
                   const Arguments& arguments) const;
  /// `keep`: for `pull_back_nets`.
  void evaluate_nets(const StepCall<Real>& step, const Real* x, bool keep) const;
  void reverse_step(int k, const LayeredAdjointArguments<Real>& arguments, bool weights) const;
  bool pull_back_nets(const StepCall<Real>& step, const LayeredAdjointArguments<Real>& arguments,
                      bool alone, bool weights, bool x_cotangent) const;
};

template <class Real>
template <class Arguments>
void LayeredCall<Real>::launch_step(const GpuKernel& kernel, const BlockTiles& tiles,
                                    const Arguments& arguments) const {
  launch(space.work.gpu, kernel,
         static_cast<std::uint64_t>((tiles.count + layered_warps - 1) / layered_warps),
         32 * layered_warps, 0, arguments, stream);
}

}  // namespace ito::cuda
