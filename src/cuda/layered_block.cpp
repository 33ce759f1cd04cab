#include "cuda/layered_block.hpp"

#include <algorithm>

#include "engine/call.hpp"

namespace ito::cuda {
namespace {

int save_at(const ModelShape& shape, int k) {
  const auto place = std::lower_bound(shape.save.begin(), shape.save.end(), k);
  return place != shape.save.end() && *place == k ? static_cast<int>(place - shape.save.begin())
                                                  : -1;
}
/// Save steps up to k.
int saves_until(const ModelShape& shape, int k) {
  return static_cast<int>(std::upper_bound(shape.save.begin(), shape.save.end(), k) -
                          shape.save.begin());
}

}  // namespace

StepKernels::StepKernels(Gpu& gpu, const KernelSource& source)
    : module(gpu.compile(source)),
      start(module->kernel("ito_start")),
      step(module->kernel("ito_step")),
      finish(module->kernel("ito_finish")),
      add_cotangents(module->kernel("ito_add_cotangents")),
      reverse(module->kernel("ito_reverse")),
      initial_gradient(module->kernel("ito_initial_gradient")) {}

template <class Real>
BlockTiles LayeredCall<Real>::tiles(std::uint64_t first_block, std::uint64_t b) const {
  const auto rows = static_cast<std::uint64_t>(space.work.rows);
  const std::uint64_t begin = (first_block + b) * rows;
  const std::uint64_t first = std::max<std::uint64_t>(path.first_path, begin) / 16;
  const std::uint64_t last =
      (std::min<std::uint64_t>(path.first_path + path.paths, begin + rows) - 1) / 16;
  return {static_cast<int>(16 * first - begin), static_cast<int>(first - path.first_path / 16),
          static_cast<int>(last - first + 1)};
}

template <class Real>
Real* LayeredCall<Real>::on_tape(std::uint64_t b, int k) const {
  const std::uint64_t checkpoint = static_cast<std::uint64_t>(k) / space.tape.stride;
  const ChainSize chain{block_size(), 2 * block_size()};
  return space.states + (b * space.tape.checkpoints + checkpoint) * space.tape.entry(chain);
}

template <class Real>
NetCall<Real> LayeredCall<Real>::at(const BlockTiles& tiles, int k) const {
  NetCall<Real> step;
  step.stream = stream;
  step.parameters = parameters;
  step.rows = {tiles.first_row, 16 * tiles.count, tiles.first_index};
  step.time = static_cast<Real>(shape.grid[static_cast<std::size_t>(k)]);
  step.interval = shape.context_steps.empty() ? 0 : interval_of(shape, k);
  step.intervals = path.intervals;
  step.first_path = path.first_path;
  step.paths = path.paths;
  step.paths_per_observation = path.paths_per_observation;
  step.bias_rows = space.bias_rows;
  step.row_sums = space.row_sums;
  return step;
}

template <class Real>
NetOutputs<Real> LayeredCall<Real>::outputs() const {
  const auto of = [](const std::optional<DeviceNet<Real>>& net) {
    return net ? net->outputs_array() : nullptr;
  };
  return {of(space.drift), of(space.diffusion), of(space.control)};
}

template <class Real>
template <class Arguments>
void LayeredCall<Real>::launch_step(const GpuKernel& kernel, const BlockTiles& tiles,
                                    const Arguments& arguments) const {
  launch(space.work.gpu, kernel,
         static_cast<std::uint64_t>((tiles.count + layered_warps - 1) / layered_warps),
         32 * layered_warps, 0, arguments, stream);
}

template <class Real>
void LayeredCall<Real>::evaluate_nets(const NetCall<Real>& step, const Real* x) const {
  for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
    if (*net) (*net)->forward(space.work, step, x, width());
  }
}

template <class Real>
void LayeredCall<Real>::forward(std::uint64_t b, const BlockTiles& tiles,
                                const SimulateArguments<Real>& call, bool record) const {
  const auto kept = [&](int k) {
    return record && k < shape.steps && static_cast<std::uint64_t>(k) % space.tape.stride == 0;
  };
  const auto place = [&](int k) {
    return kept(k) ? on_tape(b, k) : space.x[static_cast<std::size_t>(k % 2)];
  };
  const auto excess = [&](int k) {
    return kept(k) && space.tape.stride > 1 ? on_tape(b, k) + block_size() : space.excess;
  };
  LayeredSimulateArguments<Real> arguments{};
  arguments.call = call;
  arguments.outputs = outputs();
  arguments.tiles = tiles;
  arguments.sums = space.running;
  arguments.next = place(0);
  arguments.next_excess = excess(0);
  launch_step(kernels.start, tiles, arguments);
  for (int k = 0; k < shape.steps; ++k) {
    evaluate_nets(at(tiles, k), place(k));
    arguments.x = place(k);
    arguments.next = place(k + 1);
    arguments.excess = excess(k);
    arguments.next_excess = excess(k + 1);
    arguments.step = k;
    arguments.save = save_at(shape, k);
    launch_step(kernels.step, tiles, arguments);
  }
  arguments.x = place(shape.steps);
  arguments.next = nullptr;
  arguments.save = save_at(shape, shape.steps);
  launch_step(kernels.finish, tiles, arguments);
}

template <class Real>
LayeredAdjointArguments<Real> LayeredCall<Real>::adjoint_arguments(
    const BlockTiles& tiles, const AdjointArguments<Real>& call) const {
  const auto cotangents = [](const std::optional<DeviceNet<Real>>& net) {
    return net ? net->cotangents_array() : nullptr;
  };
  LayeredAdjointArguments<Real> arguments{};
  arguments.call = call;
  arguments.outputs = outputs();
  arguments.tiles = tiles;
  arguments.masked_x = space.masked_x;
  arguments.costate = space.costate;
  arguments.costate_excess = space.costate_excess;
  arguments.x_cotangent = space.x_cotangent;
  arguments.drift = cotangents(space.drift);
  arguments.diffusion = cotangents(space.diffusion);
  arguments.control = cotangents(space.control);
  arguments.control_value = space.control_value.rows;
  arguments.mixed = space.mixed;
  arguments.sigma = space.sigma.rows;
  arguments.initial = space.initial.rows;
  arguments.deviation = space.deviation.rows;
  return arguments;
}

template <class Real>
void LayeredCall<Real>::backward(std::uint64_t b, const BlockTiles& tiles,
                                 const AdjointArguments<Real>& call, bool weights) const {
  Gpu& gpu = space.work.gpu;
  for (Real* array : {space.costate, space.costate_excess, space.x_cotangent}) {
    gpu.clear(array, block_size() * sizeof(Real), stream.handle);
  }
  LayeredAdjointArguments<Real> arguments = adjoint_arguments(tiles, call);
  LayeredSimulateArguments<Real> again{};
  again.call.path = path;
  again.outputs = outputs();
  again.tiles = tiles;
  again.save = -1;
  const int stride = static_cast<int>(space.tape.stride);
  for (int end = shape.steps; end > 0;) {
    const int begin = stride == 1 ? end - 1 : (end - 1) / stride * stride;
    const auto place = [&](int k) {
      return k == begin ? on_tape(b, k)
                        : space.segment + static_cast<std::size_t>(k - begin) * block_size();
    };
    for (int k = begin; k + 1 < end; ++k) {
      evaluate_nets(at(tiles, k), place(k));
      again.x = place(k);
      again.next = place(k + 1);
      again.excess = k == begin ? on_tape(b, k) + block_size() : space.excess;
      again.next_excess = space.excess;
      again.step = k;
      launch_step(kernels.step, tiles, again);
    }
    for (int k = end - 1; k >= begin; --k) {
      arguments.x = place(k);
      reverse_step(k, arguments, weights);
    }
    end = begin;
  }
  arguments.step = 0;
  arguments.saves_left = saves_until(shape, 0);
  launch_step(kernels.initial_gradient, tiles, arguments);
  if (call.path.x0 != nullptr) return;
  for (const SummedRows<Real>* vector : {&space.initial, &space.deviation}) {
    if (vector->width == 0) continue;
    space.work.sum_tiles(at(tiles, 0), vector->rows, vector->stride(), vector->width, vector->sums);
  }
}

template <class Real>
void LayeredCall<Real>::reverse_step(int k, const LayeredAdjointArguments<Real>& at_k,
                                     bool weights) const {
  LayeredAdjointArguments<Real> arguments = at_k;
  const NetCall<Real> step = at(arguments.tiles, k);
  arguments.step = k + 1;
  arguments.saves_left = saves_until(shape, k + 1);
  launch_step(kernels.add_cotangents, arguments.tiles, arguments);
  evaluate_nets(step, space.masked_x);
  arguments.step = k;
  arguments.saves_left = saves_until(shape, k);
  const bool detached = arguments.call.detach_state != 0;
  bool x_cotangent = false;
  if (arguments.call.detach_martingale_parameters != 0 && !detached) {
    arguments.martingale_alone = 1;
    launch_step(kernels.reverse, arguments.tiles, arguments);
    x_cotangent = pull_back_nets(step, arguments, true, false, x_cotangent);
    arguments.martingale_alone = 0;
  }
  launch_step(kernels.reverse, arguments.tiles, arguments);
  pull_back_nets(step, arguments, false, weights, x_cotangent);
}

/// What WarpAdjoint::pull_back has stored, through the nets and into the sums. `alone`: it was the
/// cotangent of M, for the state alone. `x_cotangent`: whether space.x_cotangent has a part of this
/// step already; returns whether it has one now.
template <class Real>
bool LayeredCall<Real>::pull_back_nets(const NetCall<Real>& step,
                                       const LayeredAdjointArguments<Real>& arguments, bool alone,
                                       bool weights, bool x_cotangent) const {
  const bool detached = arguments.call.detach_state != 0;
  const bool beyond_control = (!alone && !detached) || shape.control == ControlKind::drift;
  const auto through = [&](const std::optional<DeviceNet<Real>>& net) {
    if (!net) return;
    const typename DeviceNet<Real>::Backward how{
        !alone, weights, detached ? nullptr : space.x_cotangent, x_cotangent ? 1.0 : 0.0};
    if (net->backward(space.work, step, space.masked_x, width(), how)) x_cotangent = true;
  };
  const auto sum = [&](const SummedRows<Real>& vector) {
    if (vector.width == 0 || alone) return;
    space.work.sum_tiles(step, vector.rows, vector.stride(), vector.width, vector.sums);
  };
  through(space.control);
  sum(space.control_value);
  if (!beyond_control) return x_cotangent;
  through(space.drift);
  through(space.diffusion);
  sum(space.sigma);
  if (space.mixed != nullptr && weights && !alone) {
    const int first = step.rows.first, stride = row_stride(shape.noise);
    space.work.multiply(
        step.stream, shape.state, shape.noise, step.rows.count,
        {space.costate + static_cast<std::ptrdiff_t>(first) * width(), width(), true},
        {space.mixed + static_cast<std::ptrdiff_t>(first) * stride, stride}, 1.0,
        space.mixed_gradient, stride);
  }
  return x_cotangent;
}

template class LayeredCall<float>;
template class LayeredCall<double>;

}  // namespace ito::cuda
