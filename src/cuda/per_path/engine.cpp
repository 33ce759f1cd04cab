#include "cuda/engine.hpp"

#include <algorithm>

#include "cuda/arguments.hpp"
#include "cuda/context_rows.hpp"
#include "cuda/host_calls.hpp"
#include "cuda/launches.hpp"
#include "cuda/parameters.hpp"
#include "cuda/per_path/source.hpp"
#include "cuda/per_path/tables.hpp"
#include "engine/call.hpp"
#include "kernels/per_path/layout.cuh"

namespace ito::cuda {

namespace {

constexpr std::uint64_t group_tiles = scheme_threads / tile_paths;

/// One call's arrays in the workspace, on the device.
template <class Real>
struct PerPathWorkspace : PathWorkspace<Real> {
  Real* scratch;
  std::byte *sums_begin, *sums_end;
};

/// How a call's tiles fall into groups of a block's threads. The numbers of blocks depend on the
/// number of tiles alone.
struct GroupCut {
  std::uint64_t groups, most_groups, observations;
  std::uint64_t blocks, gradient_blocks;  ///< of a run and of its gradient
};

template <class Real>
class PerPathEngine final : public HostCalls<Real> {
 public:
  PerPathEngine(const ModelShape& shape, Precision precision, GradientMethod method,
                std::size_t limit, std::shared_ptr<Gpu> gpu)
      : HostCalls<Real>(shape, precision, limit, std::move(gpu)),
        method_(method),
        limit_(limit),
        spec_(spec_of(shape_)),
        layout_(thread_layout(spec_)),
        constants_(shape_, gpu_),
        tables_(shape_, method, layout_.net_rows, gpu_),
        module_(gpu_->compile(per_path_source(spec_, precision, method))),
        pack_(module_->kernel("ito_pack")),
        simulate_(module_->kernel("ito_simulate")),
        adjoint_(module_->kernel("ito_adjoint")),
        reduce_(module_->kernel("ito_reduce")),
        rows_(shape_, spec_.bias_row(), *module_) {
    rows_.open_gradients(*module_);
  }

  CudaKernels kernels() const override { return CudaKernels::per_path; }

  void simulate_on(Stream stream, std::span<const Real> parameters,
                   const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                   std::span<std::byte> workspace, Keep keep) override {
    const TileCut tiles = tile_cut(request);
    const GroupCut groups = cut(tiles);
    const PerPathWorkspace<Real> space = space_in(workspace, groups, keep);
    prepare(stream, parameters, request, groups, space);
    const SchemeSimulateArguments<Real> arguments{
        simulate_arguments(path_in(request, tiles, space), outputs), scheme_in(groups, space)};
    launch(*gpu_, simulate_, groups.blocks, scheme_threads, 0, arguments, stream);
  }

  void adjoint_on(Stream stream, std::span<const Real> parameters,
                  const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                  const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                  AdjointOptions options) override {
    const TileCut tiles = tile_cut(request);
    const GroupCut groups = cut(tiles);
    const PerPathWorkspace<Real> space = space_in(workspace, groups, Keep::most);
    SchemeAdjointArguments<Real> arguments{
        adjoint_arguments(path_in(request, tiles, space), cotangents, gradient, options),
        scheme_in(groups, space)};
    arguments.call.segments = space.segments;
    arguments.call.sums = space.sums;
    arguments.call.row_sums = space.row_sums;
    gpu_->clear(space.sums_begin, static_cast<std::size_t>(space.sums_end - space.sums_begin),
                stream.handle);
    constexpr int shared_bytes = outer_numbers * static_cast<int>(sizeof(Real));
    launch(*gpu_, adjoint_, groups.gradient_blocks, scheme_threads, shared_bytes, arguments,
           stream);
    if (!gradient.parameters.empty())
      reduce_gradient(*gpu_, reduce_, stream, parameters, space.sums, groups.gradient_blocks,
                      gradient.parameters);
    rows_.reduce(*gpu_, stream, parameters, request, gradient, tiles, space.row_sums,
                 space.row_gradients);
  }

 private:
  using HostCalls<Real>::shape_;
  using HostCalls<Real>::gpu_;
  using HostCalls<Real>::tile_cut;

  std::size_t bytes_of_tiles(std::uint64_t tiles, std::uint64_t observations,
                             Keep keep) const override {
    return lay_out(nullptr, cut(tiles, tiles, observations), keep).bytes;
  }

  /// A group's chain, `unit` a number.
  ChainSize chain(std::size_t unit) const {
    unit *= scheme_threads;
    return {static_cast<std::size_t>(tables_.stored()) * unit,
            static_cast<std::size_t>(tables_.carried()) * unit};
  }
  std::size_t scratch_numbers() const {
    return static_cast<std::size_t>(tables_.arguments().rows) * scheme_threads;
  }

  GroupCut cut(std::uint64_t tiles, std::uint64_t most_tiles, std::uint64_t observations) const {
    const auto groups = [](std::uint64_t count) { return (count + group_tiles - 1) / group_tiles; };
    constexpr std::size_t budget = std::size_t{256} << 20;  // bytes of the blocks' own memory
    const std::size_t fit = budget / (sizeof(Real) * (scratch_numbers() + shape_.parameters));
    const std::uint64_t most = groups(most_tiles), fitting = std::clamp<std::size_t>(fit, 64, 2048);
    return {groups(tiles), most, observations, std::min(most, fitting),
            std::min(most * parts(), fitting)};
  }
  /// Of a group, each for a block: what a pathwise gradient divides its directions into.
  std::uint64_t parts() const {
    if (method_ != GradientMethod::pathwise) return 1;
    const UnitBlocks units = unit_blocks(spec_, std::max(1, shape_.intervals()), scheme_directions);
    return static_cast<std::uint64_t>(units.parameters + units.rows + units.state);
  }
  GroupCut cut(const TileCut& tiles) const {
    return cut(tiles.tiles, tiles.most_tiles, tiles.observations);
  }

  PerPathWorkspace<Real> space_in(std::span<std::byte> workspace, const GroupCut& groups,
                                  Keep wanted) const {
    return lay_out_in(workspace, wanted,
                      [&](std::byte* base, Keep keep) { return lay_out(base, groups, keep); });
  }

  PerPathWorkspace<Real> lay_out(std::byte* base, const GroupCut& groups, Keep keep) const {
    Arena arena(base);
    PerPathWorkspace<Real> space{};
    space.numbers = arena.take<Real>(static_cast<std::size_t>(layout_.number_count));
    space.bias_rows = arena.take<Real>(groups.observations * rows_.size());
    space.scratch = arena.take<Real>(
        (keep == Keep::nothing ? groups.blocks : groups.gradient_blocks) * scratch_numbers());
    space.tape = Tape::none();
    if (keep != Keep::nothing) lay_out_gradient(arena, space, groups, keep);
    space.bytes = arena.bytes();
    return space;
  }

  void lay_out_gradient(Arena& arena, PerPathWorkspace<Real>& space, const GroupCut& groups,
                        Keep keep) const {
    space.tape = needs_tape(method_)
                     ? Tape::choose(groups.most_groups, shape_.steps, chain(sizeof(Real)),
                                    static_cast<int>(groups.gradient_blocks), limit_, keep)
                     : Tape::of_last_state();
    space.states =
        arena.take<Real>(groups.most_groups * space.tape.checkpoints * space.tape.entry(chain(1)));
    space.status = arena.take<unsigned char>(groups.most_groups * scheme_threads);
    space.segments =
        arena.take<Real>(groups.gradient_blocks * space.tape.segment * chain(1).stored);
    space.sums_begin = arena.take<std::byte>(0);
    space.sums = arena.take<Real>(groups.gradient_blocks * shape_.parameters);
    space.row_sums = arena.take<Real>(groups.most_groups * group_tiles * rows_.size());
    space.sums_end = arena.take<std::byte>(0);
    space.row_gradients = arena.take<Real>(groups.observations * rows_.size());
  }

  /// Packs the parameters and makes the bias rows.
  void prepare(Stream stream, std::span<const Real> parameters, const BasicRequest<Real>& request,
               const GroupCut& groups, const PerPathWorkspace<Real>& space) const {
    pack_parameters(*gpu_, pack_, stream, parameters, nullptr, 0, space.numbers,
                    layout_.number_count);
    rows_.make(*gpu_, stream, parameters, request, groups.observations, space.bias_rows);
  }

  PathArguments<Real> path_in(const BasicRequest<Real>& request, const TileCut& tiles,
                              const PerPathWorkspace<Real>& space) const {
    return path_arguments<Real>(shape_, constants_, request, tiles, space);
  }
  SchemeArguments<Real> scheme_in(const GroupCut& groups,
                                  const PerPathWorkspace<Real>& space) const {
    SchemeArguments<Real> scheme = tables_.arguments();
    scheme.scratch = space.scratch;
    scheme.groups = static_cast<int>(groups.groups);
    return scheme;
  }

  GradientMethod method_;
  std::size_t limit_;
  ModelSpec spec_;
  ThreadLayout layout_;
  ModelConstants<Real> constants_;
  SchemeTables<Real> tables_;
  std::shared_ptr<const GpuModule> module_;
  GpuKernel pack_, simulate_, adjoint_, reduce_;
  ContextRows<Real> rows_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_per_path_engine(const ModelShape& shape, Precision precision,
                                                   GradientMethod method, std::size_t limit,
                                                   std::shared_ptr<Gpu> gpu) {
  return std::make_unique<PerPathEngine<Real>>(shape, precision, method, limit, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_per_path_engine(const ModelShape&, Precision,
                                                             GradientMethod, std::size_t,
                                                             std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_per_path_engine(const ModelShape&, Precision,
                                                              GradientMethod, std::size_t,
                                                              std::shared_ptr<Gpu>);

}  // namespace ito::cuda
