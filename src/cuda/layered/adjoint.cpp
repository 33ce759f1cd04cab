// The reverse loop: kernels/layered/adjoint.cuh.
#include <algorithm>

#include "cuda/layered/block.hpp"

namespace ito::cuda {
namespace {

/// Save steps up to k.
int saves_until(const ModelShape& shape, int k) {
  return static_cast<int>(std::upper_bound(shape.save.begin(), shape.save.end(), k) -
                          shape.save.begin());
}

NetRows rows_of(const BlockTiles& tiles) { return {tiles.first_row, 16 * tiles.count}; }

}  // namespace

template <class Real>
LayeredAdjointArguments<Real> LayeredCall<Real>::adjoint_arguments(
    const BlockTiles& tiles, const AdjointArguments<Real>& call) const {
  const auto cotangents = [](const std::optional<StepNet<Real>>& net) {
    return net ? net->cotangents_array() : nullptr;
  };
  LayeredAdjointArguments<Real> arguments{};
  arguments.call = call;
  arguments.outputs = outputs();
  arguments.biases = biases();
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
  for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
    if (*net) (*net)->clear_scales(space.work, stream, shape.steps);
  }
  LayeredAdjointArguments<Real> arguments = adjoint_arguments(tiles, call);
  LayeredSimulateArguments<Real> again{};
  again.call.path = path;
  again.outputs = outputs();
  again.biases = biases();
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
      evaluate_nets(at(tiles, k), place(k), false);
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
    space.work.sums().sum_tiles(stream, rows_of(tiles), vector->rows, vector->stride(),
                                vector->width, vector->sums);
  }
}

template <class Real>
void LayeredCall<Real>::reverse_step(int k, const LayeredAdjointArguments<Real>& at_k,
                                     bool weights) const {
  LayeredAdjointArguments<Real> arguments = at_k;
  const StepCall<Real> step = at(arguments.tiles, k);
  arguments.step = k + 1;
  arguments.saves_left = saves_until(shape, k + 1);
  launch_step(kernels.add_cotangents, arguments.tiles, arguments);
  evaluate_nets(step, space.masked_x, true);
  arguments.step = k;
  arguments.scales = scales(k);
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
bool LayeredCall<Real>::pull_back_nets(const StepCall<Real>& step,
                                       const LayeredAdjointArguments<Real>& arguments, bool alone,
                                       bool weights, bool x_cotangent) const {
  const bool detached = arguments.call.detach_state != 0;
  const bool beyond_control = (!alone && !detached) || shape.control == ControlKind::drift;
  const auto through = [&](const std::optional<StepNet<Real>>& net) {
    if (!net) return;
    const typename StepNet<Real>::Backward how{
        !alone, weights, detached ? nullptr : space.x_cotangent, x_cotangent ? 1.0 : 0.0};
    if (net->backward(space.work, step, space.masked_x, width(), how)) x_cotangent = true;
  };
  const auto sum = [&](const SummedRows<Real>& vector) {
    if (vector.width == 0 || alone) return;
    space.work.sums().sum_tiles(stream, rows_of(step.tiles), vector.rows, vector.stride(),
                                vector.width, vector.sums);
  };
  through(space.control);
  sum(space.control_value);
  if (!beyond_control) return x_cotangent;
  through(space.drift);
  through(space.diffusion);
  sum(space.sigma);
  if (space.mixed != nullptr && weights && !alone) {
    const int first = step.tiles.first_row, stride = row_stride(shape.noise);
    space.work.multiply(
        step.stream, space.work.format.own, shape.state, shape.noise, 16 * step.tiles.count,
        {space.costate + static_cast<std::ptrdiff_t>(first) * width(), width(), true},
        {space.mixed + static_cast<std::ptrdiff_t>(first) * stride, stride}, 1.0,
        space.mixed_gradient, stride);
  }
  return x_cotangent;
}

template void LayeredCall<float>::backward(std::uint64_t, const BlockTiles&,
                                           const AdjointArguments<float>&, bool) const;
template void LayeredCall<double>::backward(std::uint64_t, const BlockTiles&,
                                            const AdjointArguments<double>&, bool) const;

}  // namespace ito::cuda
