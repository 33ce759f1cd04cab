#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ito/model.hpp>
#include <ito/plan.hpp>

#include "cuda_training/training_kernels.hpp"
#include "model/shape.hpp"

namespace ito::cuda {

/// What the gate compiles models for: of a compute capability, the shared memory of a block.
struct GateTarget {
  int compute_capability;
  std::size_t shared_memory_per_block;  ///< CUDA C++ Programming Guide, technical specifications
};
inline constexpr GateTarget gate_targets[]{
    {80, 163 << 10}, {90, 227 << 10}, {100, 227 << 10}, {120, 99 << 10}};

/// A feedback control on an identity diffusion: one net, the noise and the Girsanov sums.
struct StandardShape {
  int state, width, layers;
  Activation activation;

  Model model() const;
  std::string text() const;  ///< "d 8, 2 × 64 tanh"
};

/// One compilation.
struct GateJob {
  StandardShape shape;
  GateTarget target;
  Precision precision;
  bool adjoint;
};

/// All standard shapes, precisions and targets, forward and adjoint.
std::vector<GateJob> all_jobs();
/// A part of `all_jobs` that takes a few minutes: every shape, and every target with every
/// activation, precision and kernel.
std::vector<GateJob> covering_jobs();

/// The reference workload of the benchmarks, latent-4x64: nets for posterior and prior drift, and a
/// constant σ or a third net. Those whose time loops are known best. `unit_tiles`: that of
/// `fused_layout`.
struct LatentJob {
  GateTarget target;
  Precision precision;
  bool adjoint;
  bool diffusion_net;
  int width = 64, unit_tiles = 0;
  bool own_grids = false;  ///< CallKind::own_grids; instructions are not counted then

  Model model() const;
  std::string text() const;  ///< "latent-4x64, units of a tile shared"
};
/// Precisions and kernels on sm_90; the adjoint with three nets, which takes long, where `all`. The
/// same for few paths, and with wide nets. With grids of observations' own, targets taking turns.
std::vector<LatentJob> latent_jobs(bool all);

/// Every kernel of a training step, with some likelihood and objective.
struct TrainingJob {
  std::string text;
  GateTarget target;
  TrainingKind kind;
};
/// Every likelihood, objective and target.
std::vector<TrainingJob> training_jobs();

/// A module of layered kernels. `shape`: of the model whose steps it takes; without, it is the one
/// of the kernels between products, in a time loop or of nets applied `once`.
struct LayeredJob {
  std::string text;
  std::optional<ModelShape> shape;
  GateTarget target;
  Precision precision;
  bool once = false, own_grids = false;
};
/// Every kind of diffusion and control once, targets and precisions taking turns.
std::vector<LayeredJob> layered_jobs();

/// The kernels that take a path a thread, of some model. `method`: of its gradient; without, they
/// are those of tangents, or `fused` ones.
struct SchemeJob {
  std::string text;
  ModelShape shape;
  GateTarget target;
  Precision precision;
  std::optional<GradientMethod> method;
  bool fused = false, own_grids = false;
};
std::vector<SchemeJob> scheme_jobs();

/// Whether the job's kernel must do without local memory.
bool must_stay_in_registers(const GateJob& job);

}  // namespace ito::cuda
