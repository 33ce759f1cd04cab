#include "cuda/engine.hpp"

#include <algorithm>

#include "cuda/arguments.hpp"
#include "cuda/context_rows.hpp"
#include "cuda/fused/same_sums.hpp"
#include "cuda/fused/tangents.hpp"
#include "cuda/host_calls.hpp"
#include "cuda/parameters.hpp"

namespace ito::cuda {
namespace {

/// One call's arrays in the workspace, on the device.
template <class Real>
struct FusedWorkspace : PathWorkspace<Real> {
  std::byte* fragments;
};

/// How a call's tiles are spread over blocks, whose number depends on the number of tiles alone.
/// `tiles` of a block of the adjoint make a group.
struct Blocks {
  std::uint64_t most_tiles, tiles, groups, blocks, observations;
};

template <class Real>
class FusedEngine final : public HostCalls<Real> {
 public:
  FusedEngine(const ModelShape& shape, const FusedModels& models, std::size_t limit,
              std::shared_ptr<Gpu> gpu)
      : HostCalls<Real>(shape, models.many.precision, limit, std::move(gpu)),
        limit_(limit),
        constants_(shape_, gpu_),
        many_(models.many, *gpu_),
        prepare_(many_.forward({}).module->kernel("ito_prepare")),
        contexts_(shape_, models.many.spec.bias_row()) {
    // The number of paths is not to change a path's bits.
    if (models.few && (!models.many.layout.warpgroups || adds_up_alike(gpu_)))
      few_.emplace(*models.few, *gpu_);
  }

  CudaKernels kernels() const override { return CudaKernels::fused; }

  void simulate_on(Stream stream, std::span<const Real> parameters,
                   const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                   std::span<std::byte> workspace, Keep keep) override {
    const TileCut tiles = tile_cut(request);
    const Blocks cut = blocks_of(tiles);
    const FusedWorkspace<Real> space = space_in(workspace, cut, keep);
    prepare(stream, parameters, request, cut, space);
    FusedKernels& kernels = kernels_of(cut.most_tiles);
    kernels.forward(call_kind(request))
        .run(*gpu_, kernels.layout(), simulate_arguments(path_in(request, tiles, space), outputs),
             stream);
  }

  void adjoint_on(Stream stream, std::span<const Real> parameters,
                  const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                  const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                  AdjointOptions options) override {
    const TileCut tiles = tile_cut(request);
    const Blocks cut = blocks_of(tiles);
    const FusedWorkspace<Real> space = space_in(workspace, cut, Keep::most);
    AdjointArguments<Real> arguments =
        adjoint_arguments(path_in(request, tiles, space), cotangents, gradient, options);
    arguments.segments = space.segments;
    arguments.sums = space.sums;
    arguments.row_sums = space.row_sums;
    arguments.groups = static_cast<int>(cut.groups);
    FusedKernels& kernels = kernels_of(cut.most_tiles);
    CallKind calls = call_kind(request);
    calls.split = options.detach_martingale_parameters;
    const FusedAdjoint& adjoint = kernels.backward(
        calls, [this](const GpuModule& module) { contexts_.open_gradients(module); });
    // A row of context may rule on no step of its observation's grid.
    if (calls.own_grids)
      gpu_->clear(space.row_sums, cut.most_tiles * contexts_.size() * sizeof(Real), stream.handle);
    adjoint.run(*gpu_, kernels.layout().adjoint, cut.blocks, arguments, stream);
    sum_gradients(adjoint.sum, stream, parameters, gradient, cut, space,
                  contexts_.gradients(parameters, request, gradient, tiles, space.row_sums,
                                      space.row_gradients));
  }

 private:
  std::unique_ptr<TangentKernels<Real>> tangent_kernels() const override {
    const bool wide =
        many_.layout().simulate.shares_units;  // tangents take whole nets in registers
    if (wide || !has_fused_tangents(shape_)) return HostCalls<Real>::tangent_kernels();
    return make_fused_tangents<Real>(many_.model(), gpu_);
  }

  std::size_t bytes_of_tiles(std::uint64_t tiles, std::uint64_t observations,
                             Keep keep) const override {
    return lay_out(nullptr, blocks_of(tiles, tiles, observations), keep).bytes;
  }

  /// The most tiles of a call of few paths, in blocks of one tile: as many as multiprocessors hold
  /// such blocks at once, with 8 warps each, of 255 registers. With more, warps of whole nets fill
  /// the schedulers as well, and repeat nothing.
  std::uint64_t most_of_few() const {
    return static_cast<std::uint64_t>(8 / few_->layout().adjoint.warps) *
           static_cast<std::uint64_t>(gpu_->properties().multiprocessors);
  }
  /// `most_tiles`: what the number of paths can come to.
  bool are_few(std::uint64_t most_tiles) const { return few_ && most_tiles <= most_of_few(); }
  FusedKernels& kernels_of(std::uint64_t most_tiles) { return are_few(most_tiles) ? *few_ : many_; }
  const FusedLayout& layout_of(std::uint64_t most_tiles) const {
    return are_few(most_tiles) ? few_->layout() : many_.layout();
  }

  Blocks blocks_of(std::uint64_t tiles, std::uint64_t most_tiles,
                   std::uint64_t observations) const {
    const FusedLayout& layout = layout_of(most_tiles);
    const auto own = static_cast<std::uint64_t>(layout.adjoint.tiles);
    constexpr std::size_t budget = std::size_t{64} << 20;  // bytes of the blocks' sums
    const std::size_t fit =
        budget / (sizeof(Real) * (static_cast<std::size_t>(layout.sum_count()) + 1));
    // The sums of wide nets are long, and every step adds to them: no more blocks than run at once.
    const std::size_t least = many_.layout().simulate.shares_units
                                  ? static_cast<std::size_t>(gpu_->properties().multiprocessors)
                                  : 256;
    const std::uint64_t groups = (tiles + own - 1) / own;
    return {most_tiles, own, groups,
            std::min<std::uint64_t>(groups, std::clamp<std::size_t>(fit, least, 4096)),
            observations};
  }
  Blocks blocks_of(const TileCut& cut) const {
    return blocks_of(cut.tiles, cut.most_tiles, cut.observations);
  }

  FusedWorkspace<Real> space_in(std::span<std::byte> workspace, const Blocks& cut,
                                Keep wanted) const {
    return lay_out_in(workspace, wanted,
                      [&](std::byte* base, Keep keep) { return lay_out(base, cut, keep); });
  }

  FusedWorkspace<Real> lay_out(std::byte* base, const Blocks& cut, Keep keep) const {
    Arena arena(base);
    FusedWorkspace<Real> space{};
    const FusedLayout& layout = many_.layout();  // parameters are packed in one way
    space.fragments =
        arena.take<std::byte>(static_cast<std::size_t>(layout.fragment_count) * fragment_bytes);
    space.numbers = arena.take<Real>(static_cast<std::size_t>(layout.number_count));
    space.bias_rows = arena.take<Real>(cut.observations * contexts_.size());
    space.tape = Tape::none();
    if (keep != Keep::nothing) lay_out_gradient(arena, space, cut, keep);
    space.bytes = arena.bytes();
    return space;
  }

  /// Of the blocks' sums; so that a workspace for many paths serves few, no less than those of the
  /// most blocks of few paths.
  std::size_t sum_numbers(const Blocks& cut) const {
    const auto of = [](std::uint64_t blocks, const FusedLayout& layout) {
      return blocks * static_cast<std::size_t>(layout.sum_count());
    };
    const std::size_t own = of(cut.blocks, layout_of(cut.most_tiles));
    if (!few_ || are_few(cut.most_tiles)) return own;
    return std::max(own, of(most_of_few(), few_->layout()));
  }

  void lay_out_gradient(Arena& arena, FusedWorkspace<Real>& space, const Blocks& cut,
                        Keep keep) const {
    const auto stored = static_cast<std::size_t>(stored_numbers(shape_.state));
    const ChainSize chain{stored, 2 * stored};
    const Blocks most = blocks_of(cut.most_tiles, cut.most_tiles, cut.observations);
    space.tape = Tape::choose(
        cut.most_tiles, shape_.steps, {chain.stored * sizeof(Real), chain.whole * sizeof(Real)},
        static_cast<int>(most.blocks * most.tiles), limit_, keep, gpu_->properties().l2_cache);
    space.states =
        arena.take<Real>(cut.most_tiles * space.tape.checkpoints * space.tape.entry(chain));
    space.status = arena.take<unsigned char>(cut.most_tiles * tile_paths);
    space.segments = arena.take<Real>(cut.blocks * cut.tiles * space.tape.segment * chain.stored);
    space.sums = arena.take<Real>(sum_numbers(cut));
    space.row_sums = arena.take<Real>(cut.most_tiles * contexts_.size());
    space.row_gradients = arena.take<Real>(cut.observations * contexts_.size());
  }

  /// Packs the parameters and makes the bias rows.
  void prepare(Stream stream, std::span<const Real> parameters, const BasicRequest<Real>& request,
               const Blocks& cut, const FusedWorkspace<Real>& space) const {
    const PrepareArguments<Real> arguments{
        {parameters.data(), space.fragments, space.numbers},
        contexts_.rows(parameters, request, cut.observations, space.bias_rows),
        blocks_of_threads(
            pack_threads(many_.layout().fragment_count, many_.layout().number_count))};
    launch(*gpu_, prepare_,
           arguments.pack_blocks + blocks_of_threads(contexts_.threads(cut.observations)),
           service_threads, 0, arguments, stream);
  }

  /// Of parameters, where that is asked for, and of contexts.
  void sum_gradients(const GpuKernel& kernel, Stream stream, std::span<const Real> parameters,
                     const BasicGradientOutputs<Real>& gradient, const Blocks& cut,
                     const FusedWorkspace<Real>& space,
                     const ContextGradientArguments<Real>& rows) const {
    const SumArguments<Real> arguments{
        {parameters.data(), space.sums, gradient.parameters.data(), static_cast<int>(cut.blocks)},
        rows,
        blocks_of_threads(gradient.parameters.size() * gradient_rows)};
    const unsigned blocks = arguments.parameter_blocks + blocks_of_threads(contexts_.threads(rows));
    if (blocks > 0) launch(*gpu_, kernel, blocks, service_threads, sum_bytes, arguments, stream);
    contexts_.put_gradients(*gpu_, stream, rows);
  }

  PathArguments<Real> path_in(const BasicRequest<Real>& request, const TileCut& tiles,
                              const FusedWorkspace<Real>& space) const {
    PathArguments<Real> path = path_arguments<Real>(shape_, constants_, request, tiles, space);
    path.fragments = space.fragments;
    return path;
  }

  using HostCalls<Real>::shape_;
  using HostCalls<Real>::gpu_;
  using HostCalls<Real>::tile_cut;

  std::size_t limit_;
  ModelConstants<Real> constants_;
  FusedKernels many_;
  std::optional<FusedKernels> few_;
  GpuKernel prepare_;
  ContextCalls<Real> contexts_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_fused_engine(const ModelShape& shape, const FusedModels& models,
                                                std::size_t limit, std::shared_ptr<Gpu> gpu) {
  return std::make_unique<FusedEngine<Real>>(shape, models, limit, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_fused_engine(const ModelShape&, const FusedModels&,
                                                          std::size_t, std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_fused_engine(const ModelShape&, const FusedModels&,
                                                           std::size_t, std::shared_ptr<Gpu>);

}  // namespace ito::cuda
