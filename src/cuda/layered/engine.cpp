#include "cuda/engine.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include <ito/error.hpp>

#include "cuda/arguments.hpp"
#include "cuda/context_rows.hpp"
#include "cuda/host_calls.hpp"
#include "cuda/kernel_source.hpp"
#include "cuda/layered/block.hpp"
#include "cuda/parameters.hpp"

namespace ito::cuda {
namespace {

/// Of a lane: E and M of two paths, since the beginning and the last save, each a sum with its
/// excess (RunningSums of kernels/fused/simulate.cuh).
constexpr std::size_t running_numbers = 16;

/// How a call's tiles fall into blocks of rows. Tiles that go by the global indices of paths have
/// places in blocks by those too, so that a path's row does not depend on the split.
struct BlockCut {
  std::uint64_t blocks, most_blocks, most_tiles, observations;
  std::uint64_t first_place = 0;  ///< of the first tile in the first block
};

/// Those that a model's nets apply between products, and identity, which last layers have.
std::vector<Activation> activations(const ModelShape& shape) {
  std::vector<Activation> all{Activation::identity};
  for (const auto* net : {&shape.drift, &shape.diffusion_net, &shape.control_net}) {
    if (!*net) continue;
    for (const LayerShape& layer : (*net)->layers) {
      if (&layer == &(*net)->layers.back()) continue;
      if (std::ranges::find(all, layer.activation) == all.end()) all.push_back(layer.activation);
    }
  }
  return all;
}

template <class Real>
class LayeredEngine final : public HostCalls<Real> {
 public:
  LayeredEngine(const ModelShape& shape, Precision precision, std::size_t limit,
                std::shared_ptr<Gpu> gpu)
      : HostCalls<Real>(shape, precision, limit, std::move(gpu)),
        limit_(limit),
        product_bytes_(gpu_->product_workspace_bytes()),
        model_(shape_, precision, gpu_->properties(), false),
        constants_(shape_, gpu_),
        format_(precision),
        layers_(*gpu_, precision, activations(shape_)),
        plain_(*gpu_, layered_source(model_)),
        pack_(plain_.module->kernel("ito_pack")),
        sigma_gradient_(plain_.module->kernel("ito_sigma_gradient")),
        context_(shape_, model_.spec.bias_row(), *plain_.module),
        block_rows_(rows_of_a_block()) {
    context_.open_gradients(*plain_.module);
  }

  CudaKernels kernels() const override { return CudaKernels::layered; }

  void simulate_on(Stream stream, std::span<const Real> parameters,
                   const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                   std::span<std::byte> workspace, Keep keep) override {
    const TileCut tiles = tile_cut(request);
    const BlockCut cut = block_cut(tiles);
    const LayeredWorkspace<Real> space = space_in(workspace, cut, keep);
    pack(stream, parameters, request, cut, space);
    const LayeredCall<Real> call = call_on(stream, parameters, request, tiles, space);
    const SimulateArguments<Real> arguments = simulate_arguments(call.path, outputs);
    for (std::uint64_t b = 0; b < cut.blocks; ++b)
      call.forward(b, call.tiles(cut.first_place, b), arguments, keep != Keep::nothing);
  }

  void adjoint_on(Stream stream, std::span<const Real> parameters,
                  const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                  const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                  AdjointOptions options) override {
    const TileCut tiles = tile_cut(request);
    const BlockCut cut = block_cut(tiles);
    const LayeredWorkspace<Real> space = space_in(workspace, cut, Keep::most);
    const LayeredCall<Real> call = call_on(stream, parameters, request, tiles, space);
    const AdjointArguments<Real> arguments =
        adjoint_arguments(call.path, cotangents, gradient, options);
    gpu_->clear(space.sums_begin, static_cast<std::size_t>(space.sums_end - space.sums_begin),
                stream.handle);
    for (std::uint64_t b = 0; b < cut.blocks; ++b) {
      call.backward(b, call.tiles(cut.first_place, b), arguments, !gradient.parameters.empty());
    }
    if (!gradient.parameters.empty()) gather(stream, parameters, gradient.parameters, space);
    context_.reduce(*gpu_, stream, parameters, request, gradient, tiles, space.row_sums,
                    space.row_gradients);
  }

 private:
  using HostCalls<Real>::shape_;
  using HostCalls<Real>::gpu_;
  using HostCalls<Real>::tile_cut;

  BlockCut block_cut(std::uint64_t tiles, std::uint64_t most_tiles, std::uint64_t observations,
                     std::uint64_t first_place) const {
    const std::uint64_t places = static_cast<std::uint64_t>(block_rows_) / tile_paths;
    return {(first_place + tiles + places - 1) / places, (most_tiles + 2 * places - 2) / places,
            most_tiles, observations, first_place};
  }
  BlockCut block_cut(const TileCut& tiles) const {
    const std::uint64_t places = static_cast<std::uint64_t>(block_rows_) / tile_paths;
    return block_cut(tiles.tiles, tiles.most_tiles, tiles.observations,
                     tiles.contiguous() ? tiles.map.first_path / tile_paths % places : 0);
  }
  std::size_t bytes_of_tiles(std::uint64_t tiles, std::uint64_t observations,
                             Keep keep) const override {
    return lay_out(nullptr, block_cut(tiles, tiles, observations, 0), keep).bytes;
  }

  /// The nets and vectors that the model has, without memory.
  LayeredWorkspace<Real> parts() const {
    LayeredWorkspace<Real> space({*gpu_, layers_, format_, block_rows_});
    if (shape_.drift) space.drift.emplace(*shape_.drift, format_);
    if (shape_.diffusion_net) space.diffusion.emplace(*shape_.diffusion_net, format_);
    if (shape_.control_net)
      space.control.emplace(*shape_.control_net, format_, model_.spec.bias_row());
    if (shape_.control == ControlKind::constant)
      space.control_value = {shape_.noise, shape_.control_value};
    if (shape_.diffusion == DiffusionKind::constant_diagonal)
      space.sigma = {shape_.state, shape_.diffusion_value};
    if (shape_.initial != InitialKind::point) space.initial = {shape_.state, shape_.initial_value};
    if (shape_.initial == InitialKind::gaussian)
      space.deviation = {shape_.state, shape_.initial_log_std};
    return space;
  }

  /// 64 rows a multiprocessor, rounded down to a power of two. Less where the widest product would
  /// not stay in half the second cache, down to what still gives each multiprocessor a tile of 128
  /// × 256 sums, and where a block would take over 1 GiB. It depends on the model and the device
  /// alone: see StepNet.
  int rows_of_a_block() const {
    constexpr std::size_t most_bytes = std::size_t{1} << 30, tile = std::size_t{128} * 256;
    const GpuProperties& device = gpu_->properties();
    const LayeredWorkspace<Real> space = parts();
    std::size_t bytes = 0, of_product = 0, widest = 1;
    for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (!*net) continue;
      bytes += (*net)->bytes_a_row();
      of_product = std::max(of_product, (*net)->most_product_bytes());
      widest = std::max(widest, static_cast<std::size_t>((*net)->widest()));
    }
    const std::size_t multiprocessors =
        std::bit_floor(static_cast<unsigned>(device.multiprocessors));
    const auto too_many = [&](std::size_t rows) {
      return rows * bytes > most_bytes || (rows * of_product > device.l2_cache / 2 &&
                                           rows / 2 * widest >= tile * multiprocessors);
    };
    std::size_t rows = 64 * multiprocessors;
    while (rows > 64 && too_many(rows)) rows /= 2;
    return static_cast<int>(rows);
  }

  LayeredWorkspace<Real> space_in(std::span<std::byte> workspace, const BlockCut& cut,
                                  Keep wanted) const {
    return lay_out_in(workspace, wanted,
                      [&](std::byte* base, Keep keep) { return lay_out(base, cut, keep); });
  }

  LayeredWorkspace<Real> lay_out(std::byte* base, const BlockCut& cut, Keep keep) const {
    const auto rows = static_cast<std::size_t>(block_rows_);
    Arena arena(base);
    LayeredWorkspace<Real> space = parts();
    constexpr std::size_t alignment = 256;  // of products
    space.work.product_bytes = product_bytes_;
    auto* products = arena.take<std::byte>(product_bytes_ + alignment);
    space.work.products =
        base ? Arena::align({products, product_bytes_ + alignment}, alignment) : nullptr;
    space.fragments =
        arena.take<std::byte>(static_cast<std::size_t>(layout_.fragment_count) * fragment_bytes);
    space.numbers = arena.take<Real>(static_cast<std::size_t>(layout_.number_count));
    space.bias_rows = arena.take<Real>(cut.observations * context_.size());
    for (Real*& x : space.x) x = arena.take<Real>(block_numbers());
    space.excess = arena.take<Real>(block_numbers());
    space.running = arena.take<std::byte>(rows * 2 * running_numbers * sizeof(Real));
    for (auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) (*net)->place(arena, block_rows_);
    }
    space.tape = Tape::none();
    if (keep != Keep::nothing || needs_scratch(space))
      space.work.scratch = arena.take<Real>(rows * widest(space));
    if (keep != Keep::nothing) lay_out_gradient(arena, space, cut, keep);
    space.bytes = arena.bytes();
    return space;
  }

  static std::size_t widest(const LayeredWorkspace<Real>& space) {
    int widest = 0;
    for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) widest = std::max(widest, (*net)->widest());
    }
    return static_cast<std::size_t>(widest);
  }
  static bool needs_scratch(const LayeredWorkspace<Real>& space) {
    bool needs = false;
    for (const auto* net : {&space.drift, &space.diffusion, &space.control})
      needs = needs || (*net && (*net)->needs_scratch());
    return needs;
  }

  /// Numbers of a block's states.
  std::size_t block_numbers() const {
    return static_cast<std::size_t>(block_rows_) *
           static_cast<std::size_t>(row_stride(shape_.state));
  }

  void lay_out_gradient(Arena& arena, LayeredWorkspace<Real>& space, const BlockCut& cut,
                        Keep keep) const {
    const auto rows = static_cast<std::size_t>(block_rows_);
    const std::size_t block = block_numbers();
    const auto noise = static_cast<std::size_t>(row_stride(shape_.noise));
    space.tape = Tape::choose(cut.most_blocks, shape_.steps,
                              {block * sizeof(Real), 2 * block * sizeof(Real)}, 1, limit_, keep);
    space.states = arena.take<Real>(cut.most_blocks * space.tape.checkpoints *
                                    space.tape.entry({block, 2 * block}));
    space.segment = arena.take<Real>(space.tape.segment * block);
    space.status = arena.take<unsigned char>(cut.most_tiles * tile_paths);
    for (Real** array :
         {&space.masked_x, &space.costate, &space.costate_excess, &space.x_cotangent})
      *array = arena.take<Real>(block);
    for (auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) (*net)->place_cotangents(arena, block_rows_);
    }
    for (std::byte*& delta : space.work.deltas)
      delta = arena.take<std::byte>(rows * widest(space) * format_.left_bytes());
    space.row_gradients = arena.take<Real>(cut.observations * context_.size());
    const std::array vectors{&space.control_value, &space.sigma, &space.initial, &space.deviation};
    for (SummedRows<Real>* vector : vectors)
      vector->rows = arena.take<Real>(rows * static_cast<std::size_t>(vector->stride()));
    const bool mixes = shape_.diffusion == DiffusionKind::constant_general;
    if (mixes) space.mixed = arena.take<Real>(rows * noise);
    space.sums_begin = arena.take<std::byte>(0);
    for (auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) (*net)->place_sums(arena, block_rows_, shape_.steps);
    }
    for (SummedRows<Real>* vector : vectors)
      vector->sums = arena.take<Real>(rows / tile_paths * static_cast<std::size_t>(vector->width));
    if (mixes)
      space.mixed_gradient = arena.take<Real>(static_cast<std::size_t>(shape_.state) * noise);
    space.row_sums = arena.take<Real>(cut.most_tiles * context_.size());
    space.sums_end = arena.take<std::byte>(0);
  }

  LayeredCall<Real> call_on(Stream stream, std::span<const Real> parameters,
                            const BasicRequest<Real>& request, const TileCut& tiles,
                            const LayeredWorkspace<Real>& space) {
    LayeredCall<Real> call{
        shape_, steps(request),    space,
        stream, parameters.data(), path_arguments(shape_, constants_, request, tiles)};
    call.path.fragments = space.fragments;
    call.path.numbers = space.numbers;
    call.path.tape_status = space.status;
    return call;
  }

  const StepKernels& steps(const BasicRequest<Real>& request) {
    if (request.refinement == 0 && request.grid.empty()) return plain_;
    std::optional<StepKernels>& kernels = request.grid.empty() ? refined_ : own_grids_;
    if (!kernels) kernels.emplace(*gpu_, layered_source(model_, call_kind(request)));
    return *kernels;
  }

  /// Weights in aligned rows, the other parameters, and the bias rows.
  void pack(Stream stream, std::span<const Real> parameters, const BasicRequest<Real>& request,
            const BlockCut& cut, const LayeredWorkspace<Real>& space) const {
    pack_parameters(*gpu_, pack_, stream, parameters, space.fragments, layout_.fragment_count,
                    space.numbers, layout_.number_count);
    for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) (*net)->pack(space.work, stream, parameters.data());
    }
    context_.make(*gpu_, stream, parameters, request, cut.observations, space.bias_rows);
  }

  /// From the sums to the flat gradient.
  void gather(Stream stream, std::span<const Real> parameters, std::span<Real> gradient,
              const LayeredWorkspace<Real>& space) const {
    gpu_->clear(gradient.data(), gradient.size_bytes(), stream.handle);
    for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
      if (*net) (*net)->add_gradient(space.work, stream, gradient.data());
    }
    for (const SummedRows<Real>* vector :
         {&space.control_value, &space.sigma, &space.initial, &space.deviation}) {
      if (vector->width == 0) continue;
      space.work.sums().add_sums(stream, vector->sums, space.work.tiles(), vector->width,
                                 gradient.data() + vector->parameter);
    }
    if (space.mixed_gradient != nullptr) {
      space.work.sums().add_matrix(stream, space.mixed_gradient, row_stride(shape_.noise),
                                   gradient.data() + shape_.diffusion_value, shape_.noise,
                                   shape_.state, shape_.noise);
    }
    if (const int entries = model_.spec.sigma_count(); entries > 0) {
      launch_threads(*gpu_, sigma_gradient_, static_cast<std::uint64_t>(entries),
                     SigmaGradientArguments<Real>{parameters.data(), gradient.data()}, stream);
    }
  }

  std::size_t limit_;
  std::size_t product_bytes_;
  FusedModel model_;
  const FusedLayout& layout_ = model_.layout;
  ModelConstants<Real> constants_;
  LayerFormat format_;
  LayerKernels layers_;
  StepKernels plain_;
  std::optional<StepKernels> refined_, own_grids_;  ///< compiled when a request asks for them
  GpuKernel pack_, sigma_gradient_;
  ContextRows<Real> context_;
  int block_rows_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_layered_engine(const ModelShape& shape, Precision precision,
                                                  std::size_t limit, std::shared_ptr<Gpu> gpu) {
  return std::make_unique<LayeredEngine<Real>>(shape, precision, limit, std::move(gpu));
}

template std::unique_ptr<Engine<float>> make_layered_engine(const ModelShape&, Precision,
                                                            std::size_t, std::shared_ptr<Gpu>);
template std::unique_ptr<Engine<double>> make_layered_engine(const ModelShape&, Precision,
                                                             std::size_t, std::shared_ptr<Gpu>);

}  // namespace ito::cuda
