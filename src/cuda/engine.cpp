#include "cuda/engine.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>

#include <ito/error.hpp>

#include "cuda/host_staging.hpp"
#include "cuda/model_constants.hpp"
#include "cuda/source.hpp"
#include "engine/call.hpp"
#include "kernels/arguments.cuh"

namespace ito {
namespace {

constexpr std::uint64_t tile_paths = 16;
constexpr unsigned service_threads = 256;  ///< of a block of the small kernels

/// One call's arrays in the workspace, on the device.
template <class Real>
struct CudaWorkspace {
  Tape tape;
  std::byte* words;
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

/// How a call's paths are spread over tiles and blocks. Tiles are aligned to global path indices,
/// and the number of blocks depends on the number of tiles alone.
struct Spread {
  std::uint64_t tiles, most_tiles, groups, blocks, observations;
};

/// The fused loops step by Euler–Maruyama and reverse that step.
const ModelShape& accepted(const ModelShape& shape, const PlanOptions& options) {
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
  return shape;
}

template <class Real>
Precision precision_of(const PlanOptions& options) {
  if constexpr (std::is_same_v<Real, double>) return Precision::fp64;
  if (options.precision == Precision::fp64) {
    throw Error("precision", "fp64", "fp32 or fast in a Plan; a DoublePlan computes in fp64");
  }
  return options.precision;
}

template <class Real>
class CudaEngine final : public Engine<Real> {
 public:
  CudaEngine(const ModelShape& shape, const PlanOptions& options, std::shared_ptr<Gpu> gpu)
      : shape_(accepted(shape, options)),
        precision_(precision_of<Real>(options)),
        limit_(options.workspace_limit),
        gpu_(std::move(gpu)),
        layout_(shape_, precision_, gpu_->properties().shared_memory_per_block),
        constants_(shape_, layout_, gpu_),
        forward_(gpu_->compile(simulate_source(shape_, layout_, precision_))),
        backward_(gpu_->compile(adjoint_source(shape_, layout_, precision_))),
        pack_(forward_->kernel("ito_pack")),
        plain_{forward_->kernel("ito_simulate"), backward_->kernel("ito_adjoint")},
        reduce_(backward_->kernel("ito_reduce")),
        workspace_(gpu_),
        staging_(gpu_) {
    if (layout_.row == 0) return;
    bias_rows_ = forward_->kernel("ito_bias_rows");
    reduce_rows_ = backward_->kernel("ito_reduce_rows");
    context_gradient_ = backward_->kernel("ito_context_gradient");
    context_weights_ = backward_->kernel("ito_context_weights");
  }

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations) const override {
    const auto tiles = Partition::largest(paths, tile_paths, shape_.parameters).tiles;
    return lay_out(nullptr, spread(tiles, tiles, observations)).bytes;
  }
  std::size_t host_workspace_bytes(std::uint64_t, std::uint64_t) const override { return 0; }

  void simulate_on(Stream stream, std::span<const Real> parameters,
                   const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                   std::span<std::byte> workspace, bool record) override {
    const Spread cut = spread(request);
    const CudaWorkspace<Real> space = lay_out(Arena::align(workspace), cut);
    prepare(stream, parameters, request, cut, space);
    SimulateArguments<Real> arguments{};
    arguments.path = path_arguments(request, cut, space);
    if (!record) {
      arguments.path.tape = nullptr;
      arguments.path.tape_status = nullptr;
    }
    arguments.states = outputs.states.data();
    arguments.energy = outputs.energy.data();
    arguments.martingale = outputs.martingale.data();
    arguments.interval_energy = outputs.interval_energy.data();
    arguments.interval_martingale = outputs.interval_martingale.data();
    arguments.status = outputs.status.data();
    const auto warps = static_cast<std::uint64_t>(layout_.simulate.warps);
    launch(kernels(request).simulate, (cut.tiles + warps - 1) / warps, layout_.simulate.warps * 32,
           layout_.simulate.shared_bytes, arguments, stream);
  }

  void adjoint_on(Stream stream, std::span<const Real> parameters,
                  const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                  const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                  AdjointOptions options, bool recorded) override {
    if (!recorded) simulate_on(stream, parameters, request, {}, workspace, true);
    const Spread cut = spread(request);
    const CudaWorkspace<Real> space = lay_out(Arena::align(workspace), cut);
    AdjointArguments<Real> arguments{};
    arguments.path = path_arguments(request, cut, space);
    arguments.states = cotangents.states.data();
    arguments.energy = cotangents.energy.data();
    arguments.martingale = cotangents.martingale.data();
    arguments.interval_energy = cotangents.interval_energy.data();
    arguments.interval_martingale = cotangents.interval_martingale.data();
    arguments.x0_gradient = gradient.x0.data();
    arguments.segments = space.segments;
    arguments.sums = space.sums;
    arguments.row_sums = space.row_sums;
    arguments.groups = static_cast<int>(cut.groups);
    arguments.detach_state = options.detach_state;
    arguments.detach_martingale_parameters = options.detach_martingale_parameters;
    launch(kernels(request).adjoint, cut.blocks, layout_.adjoint.warps * 32,
           layout_.adjoint.shared_bytes, arguments, stream);
    reduce(stream, parameters, gradient, cut, space);
    if (layout_.row > 0) reduce_context(stream, parameters, request, gradient, cut, space);
  }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte>, bool record) override {
    CallArrays<Real> host{parameters.first(shape_.parameters), request, outputs, {}, {}};
    const CallArrays<Real> device = open(host);
    simulate_on({}, device.parameters, device.request, device.outputs, workspace_.bytes(), record);
    staging_.download(host, device);
    if (record) recorded_ = request;
  }

  void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               std::span<std::byte>, AdjointOptions options, bool recorded) override {
    const bool reuse = recorded && recorded_ && same_paths(*recorded_, request);
    CallArrays<Real> host{parameters.first(shape_.parameters), request, {}, cotangents, gradient};
    const CallArrays<Real> device = open(host);
    adjoint_on({}, device.parameters, device.request, device.cotangents, device.gradient,
               workspace_.bytes(), options, reuse);
    staging_.download(host, device);
  }

 private:
  /// The time loops.
  struct Kernels {
    GpuKernel simulate, adjoint;
  };
  struct Refined {
    std::shared_ptr<const GpuModule> forward, backward;
    Kernels kernels;
  };

  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  std::size_t row_size() const {
    return static_cast<std::size_t>(layout_.row) * static_cast<std::size_t>(intervals());
  }
  int intervals() const { return std::max(1, shape_.intervals()); }

  Spread spread(std::uint64_t tiles, std::uint64_t most_tiles, std::uint64_t observations) const {
    const auto warps = static_cast<std::uint64_t>(layout_.adjoint.warps);
    constexpr std::size_t budget = std::size_t{64} << 20;  // bytes of the blocks' sums
    const std::size_t fit = budget / (sizeof(Real) * (layout_.sum_count() + 1));
    const std::uint64_t groups = (tiles + warps - 1) / warps;
    return {tiles, most_tiles, groups,
            std::min<std::uint64_t>(groups, std::clamp<std::size_t>(fit, 256, 4096)), observations};
  }
  Spread spread(const BasicRequest<Real>& request) const {
    const Partition cut(request.first_path, request.paths, tile_paths, shape_.parameters);
    return spread(cut.tiles, cut.most_tiles, observations(request));
  }
  std::uint64_t observations(const BasicRequest<Real>& request) const {
    return ObservationMap(shape_, request, tile_paths,
                          Partition(request.first_path, request.paths, tile_paths, 1))
        .rows;
  }

  CudaWorkspace<Real> lay_out(std::byte* base, const Spread& cut) const {
    const auto state_tiles = static_cast<std::size_t>((shape_.state + 7) / 8);
    const std::size_t unit = state_tiles * 128;
    const auto warps = static_cast<std::uint64_t>(layout_.adjoint.warps);
    Arena arena(base);
    CudaWorkspace<Real> space{};
    space.tape = Tape::choose(cut.most_tiles, shape_.steps, unit * sizeof(Real),
                              static_cast<int>(cut.blocks * warps), limit_);
    space.words = arena.take<std::byte>(static_cast<std::size_t>(layout_.word_count) * 512);
    space.numbers = arena.take<Real>(static_cast<std::size_t>(layout_.number_count));
    space.bias_rows = arena.take<Real>(cut.observations * row_size());
    space.states = arena.take<Real>(cut.most_tiles * space.tape.checkpoints * unit);
    space.status = arena.take<unsigned char>(cut.most_tiles * tile_paths);
    space.segments = arena.take<Real>(cut.blocks * warps * space.tape.segment * unit);
    space.sums = arena.take<Real>(cut.blocks * layout_.sum_count());
    space.row_sums = arena.take<Real>(cut.most_tiles * row_size());
    space.row_gradients = arena.take<Real>(cut.observations * row_size());
    space.bytes = arena.bytes();
    return space;
  }

  template <class Arguments>
  void launch(const GpuKernel& kernel, std::uint64_t blocks, int threads, int shared_bytes,
              const Arguments& arguments, Stream stream) const {
    gpu_->launch(kernel,
                 {static_cast<unsigned>(blocks), static_cast<unsigned>(threads),
                  static_cast<unsigned>(shared_bytes)},
                 &arguments, sizeof arguments, stream.handle);
  }
  template <class Arguments>
  void launch_threads(const GpuKernel& kernel, std::uint64_t threads, const Arguments& arguments,
                      Stream stream) const {
    launch(kernel, (threads + service_threads - 1) / service_threads, service_threads, 0, arguments,
           stream);
  }

  const Kernels& kernels(const BasicRequest<Real>& request) {
    if (request.refinement == 0) return plain_;
    if (!refined_) {
      Refined made{gpu_->compile(simulate_source(shape_, layout_, precision_, true)),
                   gpu_->compile(adjoint_source(shape_, layout_, precision_, true)),
                   {}};
      made.kernels = {made.forward->kernel("ito_simulate"), made.backward->kernel("ito_adjoint")};
      refined_ = std::move(made);
    }
    return refined_->kernels;
  }

  /// Packs the parameters and makes the bias rows.
  void prepare(Stream stream, std::span<const Real> parameters, const BasicRequest<Real>& request,
               const Spread& cut, const CudaWorkspace<Real>& space) const {
    PackArguments<Real> pack{};
    pack.parameters = parameters.data();
    pack.word_sources = constants_.word_sources;
    pack.number_sources = constants_.number_sources;
    pack.words = space.words;
    pack.numbers = space.numbers;
    pack.word_count = layout_.word_count * 32;
    pack.number_count = layout_.number_count;
    launch_threads(pack_,
                   static_cast<std::uint64_t>(std::max({pack.word_count, pack.number_count, 1})),
                   pack, stream);
    if (layout_.row == 0) return;
    ContextArguments<Real> context{};
    context.parameters = parameters.data();
    context.context = request.context.data();
    context.bias_rows = space.bias_rows;
    context.rows = cut.observations * static_cast<std::uint64_t>(intervals());
    launch_threads(bias_rows_, cut.observations * row_size(), context, stream);
  }

  PathArguments<Real> path_arguments(const BasicRequest<Real>& request, const Spread& cut,
                                     const CudaWorkspace<Real>& space) const {
    PathArguments<Real> path{};
    path.words = space.words;
    path.numbers = space.numbers;
    path.grid = constants_.grid;
    path.save = constants_.save;
    path.bias_rows = space.bias_rows;
    path.x0 = request.x0.empty() ? constants_.initial_point : request.x0.data();
    path.x0_shared = request.x0.empty() || request.x0.size() == state();
    path.tape = space.states;
    path.tape_status = space.status;
    path.refinement = request.refinement;
    path.seed = request.seed;
    static_assert(sizeof(std::uint64_t) == sizeof(unsigned long long));
    path.seed_on_device = reinterpret_cast<const unsigned long long*>(request.seed_on_device);
    path.first_path = request.first_path;
    path.paths = request.paths;
    path.paths_per_observation =
        cut.observations == 1 ? request.paths : request.paths_per_observation;
    path.steps = shape_.steps;
    path.saves = static_cast<int>(shape_.save.size());
    path.intervals = intervals();
    path.tiles = static_cast<int>(cut.tiles);
    path.stride = static_cast<int>(space.tape.stride);
    path.checkpoints = static_cast<int>(space.tape.checkpoints);
    return path;
  }

  void reduce(Stream stream, std::span<const Real> parameters,
              const BasicGradientOutputs<Real>& gradient, const Spread& cut,
              const CudaWorkspace<Real>& space) const {
    if (gradient.parameters.empty()) return;
    ReduceArguments<Real> arguments{};
    arguments.parameters = parameters.data();
    arguments.sums = space.sums;
    arguments.places = constants_.places;
    arguments.gradient = gradient.parameters.data();
    arguments.blocks = static_cast<int>(cut.blocks);
    arguments.parameter_count = static_cast<int>(shape_.parameters);
    launch(reduce_, (shape_.parameters + 31) / 32, service_threads,
           static_cast<int>(service_threads * sizeof(double)), arguments, stream);
  }

  void reduce_context(Stream stream, std::span<const Real> parameters,
                      const BasicRequest<Real>& request, const BasicGradientOutputs<Real>& gradient,
                      const Spread& cut, const CudaWorkspace<Real>& space) const {
    ContextGradientArguments<Real> arguments{};
    arguments.parameters = parameters.data();
    arguments.context = request.context.data();
    arguments.row_sums = space.row_sums;
    arguments.row_gradients = space.row_gradients;
    arguments.context_gradient = gradient.context.data();
    arguments.gradient = gradient.parameters.data();
    arguments.first_path = request.first_path;
    arguments.paths = request.paths;
    arguments.paths_per_observation =
        cut.observations == 1 ? request.paths : request.paths_per_observation;
    arguments.observations = cut.observations;
    arguments.intervals = intervals();
    launch_threads(reduce_rows_, cut.observations * row_size(), arguments, stream);
    const auto contexts = static_cast<std::uint64_t>(shape_.context());
    if (!gradient.context.empty()) {
      launch_threads(context_gradient_,
                     cut.observations * static_cast<std::uint64_t>(intervals()) * contexts,
                     arguments, stream);
    }
    if (!gradient.parameters.empty()) {
      const auto outputs = static_cast<std::uint64_t>(layout_.control.shape.layers.front().outputs);
      launch_threads(context_weights_, outputs * contexts, arguments, stream);
    }
  }

  /// Device copies of a host call's arrays, and a workspace. What a recording left in the workspace
  /// is forgotten unless the caller keeps it.
  CallArrays<Real> open(const CallArrays<Real>& host) {
    recorded_.reset();
    workspace_.reserve(workspace_bytes(host.request.paths, observations(host.request)));
    return staging_.upload(host);
  }

  /// Whether two requests are one, as far as that can be seen: the caller of a recorded adjoint
  /// promises the rest.
  static bool same_paths(const BasicRequest<Real>& a, const BasicRequest<Real>& b) {
    return a.paths == b.paths && a.seed == b.seed && a.first_path == b.first_path &&
           a.paths_per_observation == b.paths_per_observation && a.refinement == b.refinement &&
           a.x0.data() == b.x0.data() && a.context.data() == b.context.data();
  }

  ModelShape shape_;
  Precision precision_;
  std::size_t limit_;
  std::shared_ptr<Gpu> gpu_;
  KernelLayout layout_;
  ModelConstants<Real> constants_;
  std::shared_ptr<const GpuModule> forward_, backward_;
  GpuKernel pack_;
  Kernels plain_;
  std::optional<Refined> refined_;  ///< compiled at the first request that refines
  GpuKernel reduce_;
  GpuKernel bias_rows_, reduce_rows_, context_gradient_, context_weights_;
  GpuBuffer workspace_;
  HostStaging<Real> staging_;
  std::optional<BasicRequest<Real>> recorded_;  ///< of the last call, where it recorded
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_cuda_engine(const ModelShape& shape, const PlanOptions& options,
                                               std::shared_ptr<Gpu> gpu) {
  return std::make_unique<CudaEngine<Real>>(shape, options, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                         std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_cuda_engine(const ModelShape&, const PlanOptions&,
                                                          std::shared_ptr<Gpu>);

}  // namespace ito
