#include "cuda/fused_engine.hpp"

#include <algorithm>
#include <optional>

#include "cuda/call_arguments.hpp"
#include "cuda/context_rows.hpp"
#include "cuda/host_calls.hpp"
#include "cuda/launches.hpp"
#include "cuda/parameter_passes.hpp"
#include "cuda/source.hpp"

namespace ito {
namespace {

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

template <class Real>
class FusedEngine final : public HostCalls<Real> {
 public:
  FusedEngine(const ModelShape& shape, KernelLayout layout, Precision precision, std::size_t limit,
              std::shared_ptr<Gpu> gpu)
      : HostCalls<Real>(shape, std::move(gpu)),
        precision_(precision),
        limit_(limit),
        layout_(std::move(layout)),
        constants_(shape_, layout_, gpu_),
        forward_(gpu_->compile(simulate_source(shape_, layout_, precision_))),
        backward_(gpu_->compile(adjoint_source(shape_, layout_, precision_))),
        pack_(forward_->kernel("ito_pack")),
        plain_{forward_->kernel("ito_simulate"), backward_->kernel("ito_adjoint")},
        reduce_(backward_->kernel("ito_reduce")),
        rows_(shape_, layout_.row, *forward_, *backward_) {}

  CudaKernels kernels() const override { return CudaKernels::fused; }

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations) const override {
    const auto tiles = Partition::largest(paths, tile_paths, shape_.parameters).tiles;
    return lay_out(nullptr, spread(tiles, tiles, observations)).bytes;
  }

  void simulate_on(Stream stream, std::span<const Real> parameters,
                   const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                   std::span<std::byte> workspace, bool record) override {
    const Spread cut = spread(request);
    const CudaWorkspace<Real> space = lay_out(Arena::align(workspace), cut);
    prepare(stream, parameters, request, cut, space);
    PathArguments<Real> path = path_in(request, cut, space);
    if (!record) {
      path.tape = nullptr;
      path.tape_status = nullptr;
    }
    const SimulateArguments<Real> arguments = simulate_arguments(path, outputs);
    // Few paths take blocks of fewer warps, over all multiprocessors: no path depends on its warp.
    const auto most = static_cast<std::uint64_t>(layout_.simulate.warps);
    const auto multiprocessors = static_cast<std::uint64_t>(gpu_->properties().multiprocessors);
    const std::uint64_t warps =
        std::clamp<std::uint64_t>((cut.tiles + multiprocessors - 1) / multiprocessors, 1, most);
    launch(*gpu_, loops(request).simulate, (cut.tiles + warps - 1) / warps,
           static_cast<int>(warps) * 32, layout_.simulate.shared_bytes, arguments, stream);
  }

  void adjoint_on(Stream stream, std::span<const Real> parameters,
                  const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                  const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                  AdjointOptions options, bool recorded) override {
    if (!recorded) simulate_on(stream, parameters, request, {}, workspace, true);
    const Spread cut = spread(request);
    const CudaWorkspace<Real> space = lay_out(Arena::align(workspace), cut);
    AdjointArguments<Real> arguments =
        adjoint_arguments(path_in(request, cut, space), cotangents, gradient, options);
    arguments.segments = space.segments;
    arguments.sums = space.sums;
    arguments.row_sums = space.row_sums;
    arguments.groups = static_cast<int>(cut.groups);
    launch(*gpu_, loops(request).adjoint, cut.blocks, layout_.adjoint.warps * 32,
           layout_.adjoint.shared_bytes, arguments, stream);
    if (!gradient.parameters.empty())
      reduce_gradient(*gpu_, reduce_, stream, constants_, parameters, space.sums, cut.blocks,
                      gradient.parameters);
    rows_.reduce(*gpu_, stream, parameters, request, gradient, cut.observations, space.row_sums,
                 space.row_gradients);
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
    return spread(cut.tiles, cut.most_tiles, observation_count(request));
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
    space.bias_rows = arena.take<Real>(cut.observations * rows_.size());
    space.states = arena.take<Real>(cut.most_tiles * space.tape.checkpoints * unit);
    space.status = arena.take<unsigned char>(cut.most_tiles * tile_paths);
    space.segments = arena.take<Real>(cut.blocks * warps * space.tape.segment * unit);
    space.sums = arena.take<Real>(cut.blocks * layout_.sum_count());
    space.row_sums = arena.take<Real>(cut.most_tiles * rows_.size());
    space.row_gradients = arena.take<Real>(cut.observations * rows_.size());
    space.bytes = arena.bytes();
    return space;
  }

  const Kernels& loops(const BasicRequest<Real>& request) {
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
    pack_parameters(*gpu_, pack_, stream, constants_, parameters, space.words, space.numbers);
    rows_.make(*gpu_, stream, parameters, request, cut.observations, space.bias_rows);
  }

  PathArguments<Real> path_in(const BasicRequest<Real>& request, const Spread& cut,
                              const CudaWorkspace<Real>& space) const {
    PathArguments<Real> path = path_arguments(shape_, constants_, request, cut.observations);
    path.words = space.words;
    path.numbers = space.numbers;
    path.bias_rows = space.bias_rows;
    path.tape = space.states;
    path.tape_status = space.status;
    path.tiles = static_cast<int>(cut.tiles);
    path.stride = static_cast<int>(space.tape.stride);
    path.checkpoints = static_cast<int>(space.tape.checkpoints);
    return path;
  }

  using HostCalls<Real>::shape_;
  using HostCalls<Real>::gpu_;
  using HostCalls<Real>::observation_count;

  Precision precision_;
  std::size_t limit_;
  KernelLayout layout_;
  ModelConstants<Real> constants_;
  std::shared_ptr<const GpuModule> forward_, backward_;
  GpuKernel pack_;
  Kernels plain_;
  std::optional<Refined> refined_;  ///< compiled at the first request that refines
  GpuKernel reduce_;
  ContextRows<Real> rows_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_fused_engine(const ModelShape& shape, KernelLayout layout,
                                                Precision precision, std::size_t limit,
                                                std::shared_ptr<Gpu> gpu) {
  return std::make_unique<FusedEngine<Real>>(shape, std::move(layout), precision, limit,
                                             std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_fused_engine(const ModelShape&, KernelLayout,
                                                          Precision, std::size_t,
                                                          std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_fused_engine(const ModelShape&, KernelLayout,
                                                           Precision, std::size_t,
                                                           std::shared_ptr<Gpu>);

}  // namespace ito
