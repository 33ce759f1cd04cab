#include "cuda/engine.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include <ito/error.hpp>

#include "cuda/fused_engine.hpp"
#include "cuda/layered_engine.hpp"

namespace ito {
namespace {

constexpr int fused_width = 128;        ///< of a hidden layer, at most
constexpr std::size_t fused_depth = 4;  ///< hidden layers at most

/// Both engines step by Euler–Maruyama and reverse that step.
void check_accepted(const ModelShape& shape, const PlanOptions& options) {
  if (shape.solver != Solver::euler_maruyama) {
    throw Error("solver", std::string(name(shape.solver)) + " on device cuda",
                "euler-maruyama there, or any solver on device cpu");
  }
  if (options.gradient != GradientMethod::adjoint) {
    throw Error("gradient", std::string(name(options.gradient)) + " on device cuda",
                "adjoint there, or any method on device cpu");
  }
  if (shape.calculus != Calculus::ito &&
      (shape.diffusion == DiffusionKind::diagonal || shape.diffusion == DiffusionKind::general)) {
    throw Error("calculus",
                "stratonovich on device cuda with a diffusion that depends on the state",
                "ito there, or either on device cpu");
  }
}

template <class Real>
Precision precision_of(const PlanOptions& options) {
  if constexpr (std::is_same_v<Real, double>) return Precision::fp64;
  if (options.precision == Precision::fp64) {
    throw Error("precision", "fp64", "fp32 or fast in a Plan; a DoublePlan computes in fp64");
  }
  return options.precision;
}

/// Whether every net is of a size that a fused kernel is good for.
bool is_small(const ModelShape& shape) {
  const auto small = [](const std::optional<NetShape>& net) {
    if (!net) return true;
    const auto hidden_end = net->layers.end() - 1;
    return net->layers.size() <= fused_depth + 1 &&
           std::all_of(net->layers.begin(), hidden_end,
                       [](const LayerShape& layer) { return layer.outputs <= fused_width; });
  };
  return small(shape.drift) && small(shape.diffusion_net) && small(shape.control_net);
}

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_cuda_engine(const ModelShape& shape, const PlanOptions& options,
                                               std::shared_ptr<Gpu> gpu) {
  check_accepted(shape, options);
  const Precision precision = precision_of<Real>(options);
  const bool forced = options.cuda_kernels == CudaKernels::fused;
  if (forced || (options.cuda_kernels == CudaKernels::automatic && is_small(shape))) {
    KernelLayout layout(shape, precision, gpu->properties().shared_memory_per_block);
    if (layout.fits)
      return make_fused_engine<Real>(shape, std::move(layout), precision, options.workspace_limit,
                                     std::move(gpu));
    if (forced) {
      throw Error("cuda_kernels",
                  "fused with nets whose activations take " +
                      std::to_string(layout.adjoint.shared_bytes) +
                      " bytes of shared memory for 16 paths",
                  "at most " + std::to_string(gpu->properties().shared_memory_per_block) +
                      " bytes there, or layered");
    }
  }
  return make_layered_engine<Real>(shape, precision, options.workspace_limit, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                         std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                          std::shared_ptr<Gpu>);

}  // namespace ito
