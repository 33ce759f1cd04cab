#include "cuda/tangents.hpp"

#include <algorithm>

#include "cuda/arguments.hpp"
#include "cuda/buffer.hpp"
#include "cuda/context_rows.hpp"
#include "cuda/kernel_source.hpp"
#include "cuda/parameters.hpp"
#include "engine/call.hpp"
#include "kernels/device/formats.cuh"

namespace ito::cuda {
namespace {

/// How a call is cut. K directions go in parts of `part`, N paths in groups of a block's tiles.
struct TangentCut {
  std::uint64_t observations, groups, blocks;
  std::size_t part;
};

/// A call's arrays on the device, those with an axis of directions for one part of them.
template <class Real>
struct TangentSpace {
  Real *parameters, *x0, *context, *numbers, *bias_rows, *scratch;
  BasicGridStep<Real>* grid;
  int* save;
  std::byte *fragments, *direction_fragments;
  Real *direction, *x0_direction, *context_direction, *direction_numbers, *direction_rows;
  Real *states, *energy, *martingale, *interval_energy, *interval_martingale;
  std::size_t bytes;
};

template <class Real>
class CutTangents final : public DeviceTangents<Real> {
 public:
  CutTangents(const ModelShape& shape, std::unique_ptr<TangentKernels<Real>> kernels,
              std::size_t limit, std::shared_ptr<Gpu> gpu)
      : shape_(shape),
        limit_(limit),
        gpu_(std::move(gpu)),
        kernels_(std::move(kernels)),
        sizes_(kernels_->sizes()),
        constants_(shape_, gpu_),
        pack_(kernels_->module().kernel("ito_pack")),
        pack_directions_(kernels_->module().kernel("ito_pack_directions")),
        rows_(shape_, spec_of(shape_).bias_row(), kernels_->module()),
        memory_(gpu_) {
    if (sizes_.fragments > 0) pack_fragments_ = kernels_->module().kernel("ito_pack_fragments");
    if (rows_.size() > 0) row_tangents_ = kernels_->module().kernel("ito_bias_row_tangents");
  }

  void run(std::span<const Real> parameters, const BasicRequest<Real>& request,
           const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs) override {
    if (directions.count == 0) return;
    const TileCut tiles(request.first_path, request.paths, observation_count(shape_, request),
                        request.paths_per_observation);
    const TangentCut cut = cut_of(tiles, request, directions, outputs);
    memory_.reserve(lay_out(nullptr, cut, request, directions, outputs).bytes);
    const TangentSpace<Real> space =
        lay_out(Arena::align(memory_.bytes()), cut, request, directions, outputs);
    const BasicRequest<Real> on_device = upload(parameters, request, cut, space);
    TangentArguments<Real> arguments =
        arguments_of(on_device, directions, !outputs.interval_energy.empty(), tiles, cut, space);
    for (std::size_t first = 0; first < directions.count; first += cut.part) {
      const std::size_t count = std::min(cut.part, directions.count - first);
      upload(directions, first, count, space);
      pack(on_device, directions, count, cut, space);
      arguments.directions.count = static_cast<int>(count);
      kernels_->run(arguments, cut.groups, cut.blocks, space.scratch);
      download(outputs, directions.count, first, count, space);
    }
  }

 private:
  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  std::size_t number_count() const { return static_cast<std::size_t>(sizes_.numbers); }
  std::size_t fragments_bytes() const {
    return static_cast<std::size_t>(sizes_.fragments) * fragment_bytes;
  }

  TangentCut cut_of(const TileCut& tiles, const BasicRequest<Real>& request,
                    const BasicDirections<Real>& directions,
                    const BasicOutputs<Real>& outputs) const {
    constexpr std::size_t budget = std::size_t{256} << 20;  // bytes of the blocks' own memory
    const std::size_t at_once = sizes_.at_once;
    TangentCut cut{tiles.observations, (tiles.tiles + sizes_.tiles - 1) / sizes_.tiles, 0, 0};
    const std::size_t none = lay_out(nullptr, cut, request, directions, outputs).bytes;
    cut.part = 1;
    const std::size_t each = lay_out(nullptr, cut, request, directions, outputs).bytes - none;
    cut.part = std::clamp<std::size_t>(limit_ / each, 1, directions.count);
    if (cut.part > at_once) cut.part -= cut.part % at_once;
    const std::size_t fit = budget / (sizeof(Real) * std::max<std::size_t>(sizes_.scratch, 1));
    cut.blocks = std::min<std::uint64_t>(cut.groups * ((cut.part + at_once - 1) / at_once),
                                         std::clamp<std::size_t>(fit, 64, 2048));
    return cut;
  }

  TangentSpace<Real> lay_out(std::byte* base, const TangentCut& cut,
                             const BasicRequest<Real>& request,
                             const BasicDirections<Real>& directions,
                             const BasicOutputs<Real>& outputs) const {
    Arena arena(base);
    const auto part = [&](std::size_t whole) {  // of an array with an axis of directions
      return arena.take<Real>(whole / directions.count * cut.part);
    };
    TangentSpace<Real> space{};
    space.parameters = arena.take<Real>(shape_.parameters);
    space.x0 = arena.take<Real>(request.x0.size());
    space.context = arena.take<Real>(request.context.size());
    space.grid = arena.take<BasicGridStep<Real>>(request.grid.size());
    space.save = arena.take<int>(request.save.size());
    space.numbers = arena.take<Real>(number_count());
    space.bias_rows = arena.take<Real>(cut.observations * rows_.size());
    space.scratch = arena.take<Real>(cut.blocks * sizes_.scratch);
    space.fragments = arena.take<std::byte>(fragments_bytes());
    space.direction = part(directions.parameters.size());
    space.x0_direction = part(directions.x0.size());
    space.context_direction = part(directions.context.size());
    space.direction_numbers = arena.take<Real>(cut.part * number_count());
    if (!directions.parameters.empty()) {
      space.direction_fragments = arena.take<std::byte>(cut.part * fragments_bytes());
    }
    space.direction_rows = arena.take<Real>(cut.part * cut.observations * rows_.size());
    space.states = part(outputs.states.size());
    space.energy = part(outputs.energy.size());
    space.martingale = part(outputs.martingale.size());
    space.interval_energy = part(outputs.interval_energy.size());
    space.interval_martingale = part(outputs.interval_martingale.size());
    space.bytes = arena.bytes();
    return space;
  }

  template <class T>
  void to_device(T* device, std::span<const T> host) const {
    if (!host.empty()) gpu_->copy(device, host.data(), host.size_bytes(), nullptr);
  }

  /// What all directions share; the request with its arrays there.
  BasicRequest<Real> upload(std::span<const Real> parameters, const BasicRequest<Real>& request,
                            const TangentCut& cut, const TangentSpace<Real>& space) const {
    to_device(space.parameters, parameters.first(shape_.parameters));
    to_device(space.x0, request.x0);
    to_device(space.context, request.context);
    to_device(space.grid, request.grid);
    to_device(space.save, request.save);
    BasicRequest<Real> on_device = request;
    on_device.grid = {space.grid, request.grid.size()};
    on_device.save = {space.save, request.save.size()};
    on_device.x0 = {space.x0, request.x0.size()};
    on_device.context = {space.context, request.context.size()};
    const std::span<const Real> there(space.parameters, shape_.parameters);
    pack_parameters(*gpu_, pack_, {}, there, space.fragments, sizes_.fragments, space.numbers,
                    sizes_.numbers);
    rows_.make(*gpu_, {}, there, on_device, cut.observations, space.bias_rows);
    return on_device;
  }

  void upload(const BasicDirections<Real>& directions, std::size_t first, std::size_t count,
              const TangentSpace<Real>& space) const {
    const auto put = [&](Real* device, std::span<const Real> whole) {
      const std::size_t each = whole.size() / directions.count;
      to_device(device, whole.subspan(first * each, count * each));
    };
    put(space.direction, directions.parameters);
    put(space.x0_direction, directions.x0);
    put(space.context_direction, directions.context);
  }

  void pack(const BasicRequest<Real>& request, const BasicDirections<Real>& directions,
            std::size_t count, const TangentCut& cut, const TangentSpace<Real>& space) const {
    PackDirectionArguments<Real> arguments{};
    arguments.parameters = space.parameters;
    arguments.context = request.context.data();
    arguments.direction = directions.parameters.empty() ? nullptr : space.direction;
    arguments.context_direction = directions.context.empty() ? nullptr : space.context_direction;
    arguments.fragments = space.direction_fragments;
    arguments.numbers = space.direction_numbers;
    arguments.bias_rows = space.direction_rows;
    arguments.rows = cut.observations * static_cast<std::uint64_t>(std::max(1, shape_.intervals()));
    arguments.count = count;
    launch_threads(*gpu_, pack_directions_, std::max<std::size_t>(count * number_count(), 1),
                   arguments, {});
    if (space.direction_fragments != nullptr && sizes_.fragments > 0) {
      launch_threads(*gpu_, pack_fragments_,
                     count * static_cast<std::size_t>(sizes_.fragments) * warp_lanes, arguments,
                     {});
    }
    if (rows_.size() > 0) {
      launch_threads(*gpu_, row_tangents_, count * cut.observations * rows_.size(), arguments, {});
    }
  }

  TangentArguments<Real> arguments_of(const BasicRequest<Real>& request,
                                      const BasicDirections<Real>& directions, bool intervals,
                                      const TileCut& tiles, const TangentCut& cut,
                                      const TangentSpace<Real>& space) const {
    TangentArguments<Real> arguments{};
    arguments.call.path = path_arguments<Real>(shape_, constants_, request, tiles);
    arguments.call.path.fragments = space.fragments;
    arguments.call.path.numbers = space.numbers;
    arguments.call.path.bias_rows = space.bias_rows;
    arguments.call.states = space.states;
    arguments.call.energy = space.energy;
    arguments.call.martingale = space.martingale;
    if (intervals) {
      arguments.call.interval_energy = space.interval_energy;
      arguments.call.interval_martingale = space.interval_martingale;
    }
    arguments.directions.fragments = space.direction_fragments;
    arguments.directions.numbers = space.direction_numbers;
    arguments.directions.rows = space.direction_rows;
    arguments.directions.row_direction = static_cast<long long>(cut.observations * rows_.size());
    if (directions.x0.empty()) return arguments;
    const bool shared = directions.x0.size() == directions.count * state();
    arguments.directions.x0 = space.x0_direction;
    arguments.directions.x0_direction =
        static_cast<long long>(directions.x0.size() / directions.count);
    arguments.directions.x0_path = shared ? 0 : shape_.state;
    return arguments;
  }

  /// Waits for the results.
  void download(const BasicOutputs<Real>& outputs, std::size_t directions, std::size_t first,
                std::size_t count, const TangentSpace<Real>& space) const {
    const auto take = [&](std::span<Real> whole, const Real* device) {
      const std::size_t each = whole.size() / directions;
      const std::span<Real> host = whole.subspan(first * each, count * each);
      if (!host.empty()) gpu_->copy(host.data(), device, host.size_bytes(), nullptr);
    };
    take(outputs.states, space.states);
    take(outputs.energy, space.energy);
    take(outputs.martingale, space.martingale);
    take(outputs.interval_energy, space.interval_energy);
    take(outputs.interval_martingale, space.interval_martingale);
    gpu_->synchronize(nullptr);
  }

  ModelShape shape_;
  std::size_t limit_;
  std::shared_ptr<Gpu> gpu_;
  std::unique_ptr<TangentKernels<Real>> kernels_;
  typename TangentKernels<Real>::Sizes sizes_;
  ModelConstants<Real> constants_;
  GpuKernel pack_, pack_directions_, pack_fragments_;
  ContextRows<Real> rows_;
  GpuKernel row_tangents_;
  GpuBuffer memory_;
};

}  // namespace

template <class Real>
std::unique_ptr<DeviceTangents<Real>> make_device_tangents(
    const ModelShape& shape, std::unique_ptr<TangentKernels<Real>> kernels, std::size_t limit,
    std::shared_ptr<Gpu> gpu) {
  return std::make_unique<CutTangents<Real>>(shape, std::move(kernels), limit, std::move(gpu));
}

template std::unique_ptr<DeviceTangents<float>> make_device_tangents(
    const ModelShape&, std::unique_ptr<TangentKernels<float>>, std::size_t, std::shared_ptr<Gpu>);
template std::unique_ptr<DeviceTangents<double>> make_device_tangents(
    const ModelShape&, std::unique_ptr<TangentKernels<double>>, std::size_t, std::shared_ptr<Gpu>);

}  // namespace ito::cuda
