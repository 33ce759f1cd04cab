#include "cuda/engine.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include <ito/error.hpp>

namespace ito::cuda {
namespace {

constexpr int fused_width = 512;        ///< of a hidden layer, at most
constexpr std::size_t fused_depth = 4;  ///< hidden layers at most
constexpr int widest_state = 256;       ///< of states and noises: a warp holds those of 16 paths

void check_width(const char* field, int got, CudaKernels kernels) {
  if (got <= widest_state) return;
  throw Error(field, std::to_string(got) + " with cuda_kernels " + std::string(name(kernels)),
              "up to " + std::to_string(widest_state) + " with these, any with auto or per-path");
}

/// Whether every step is one of Euler–Maruyama in Itô's calculus, the gradient its adjoint, the
/// state not too wide, and no row of inputs goes to the drift: what the kernels on tensor cores
/// take.
bool drift_takes_inputs(const ModelShape& shape) {
  return shape.drift && shape.drift->context_inputs > 0;
}

bool fits_tensor_cores(const ModelShape& shape, GradientMethod method) {
  return shape.solver == Solver::euler_maruyama && method == GradientMethod::adjoint &&
         (shape.calculus == Calculus::ito || !shape.diffusion_net) && !drift_takes_inputs(shape) &&
         std::max(shape.state, shape.noise) <= widest_state;
}

/// Whether every net is of a size that a fused kernel is good for. In fp64 a warp takes whole nets.
bool is_small(const ModelShape& shape, Precision precision) {
  const int widest = precision == Precision::fp64 ? FusedModels::widest_of_a_warp : fused_width;
  const auto small = [widest](const std::optional<NetShape>& net) {
    if (!net) return true;
    const auto hidden_end = net->layers.end() - 1;
    return net->layers.size() <= fused_depth + 1 &&
           std::all_of(net->layers.begin(), hidden_end,
                       [&](const LayerShape& layer) { return layer.outputs <= widest; });
  };
  return small(shape.drift) && small(shape.diffusion_net) && small(shape.control_net);
}

void check_kernels(const ModelShape& shape, const PlanOptions& options) {
  const CudaKernels kernels = options.cuda_kernels;
  if (kernels == CudaKernels::per_path || kernels == CudaKernels::automatic) return;
  check_width("state", shape.state, kernels);
  check_width("noise", shape.noise, kernels);
  if (drift_takes_inputs(shape)) {
    throw Error("cuda_kernels", std::string(name(kernels)) + " with a drift that takes inputs",
                "auto or per-path with inputs");
  }
  if (!fits_tensor_cores(shape, options.gradient)) {
    throw Error("cuda_kernels",
                std::string(name(kernels)) + " with solver " + std::string(name(shape.solver)) +
                    ", calculus " + std::string(name(shape.calculus)) + ", gradient " +
                    std::string(name(options.gradient)),
                "auto or per-path with these; fused or layered with euler-maruyama, ito, adjoint");
  }
}

/// Where PlanOptions::workspace_limit is not given.
std::size_t usual_limit(const GpuProperties& device) {
  return std::max(PlanOptions::usual_workspace_limit, device.memory / 16);
}

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_cuda_engine(const ModelShape& shape, const PlanOptions& options,
                                               std::shared_ptr<Gpu> gpu) {
  check_kernels(shape, options);
  const std::size_t limit = options.workspace_limit.value_or(usual_limit(gpu->properties()));
  const Precision precision = std::is_same_v<Real, double> ? Precision::fp64 : options.precision;
  if (options.cuda_kernels == CudaKernels::per_path ||
      !fits_tensor_cores(shape, options.gradient)) {
    return make_per_path_engine<Real>(shape, precision, options.gradient, limit, std::move(gpu));
  }
  const bool forced = options.cuda_kernels == CudaKernels::fused;
  if (forced || (options.cuda_kernels == CudaKernels::automatic && is_small(shape, precision))) {
    const FusedModels models = FusedModels::of(shape, precision, gpu->properties());
    const FusedLayout& layout = models.many.layout;
    if (layout.fits) return make_fused_engine<Real>(shape, models, limit, std::move(gpu));
    if (forced) {
      throw Error("cuda_kernels",
                  "fused with nets whose activations take " +
                      std::to_string(layout.adjoint.shared_bytes) +
                      " bytes of shared memory for 16 paths",
                  "at most " + std::to_string(gpu->properties().shared_memory_per_block) +
                      " bytes there, or layered");
    }
  }
  return make_layered_engine<Real>(shape, precision, limit, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                         std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                          std::shared_ptr<Gpu>);

}  // namespace ito::cuda
