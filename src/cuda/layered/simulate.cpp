// The forward loop: kernels/layered/simulate.cuh.
#include <algorithm>

#include "cuda/layered/block.hpp"

namespace ito::cuda {
namespace {

int save_at(const ModelShape& shape, int k) {
  const auto place = std::lower_bound(shape.save.begin(), shape.save.end(), k);
  return place != shape.save.end() && *place == k ? static_cast<int>(place - shape.save.begin())
                                                  : -1;
}

}  // namespace

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
  arguments.biases = biases();
  arguments.tiles = tiles;
  arguments.sums = space.running;
  arguments.next = place(0);
  arguments.next_excess = excess(0);
  launch_step(kernels.start, tiles, arguments);
  for (int k = 0; k < shape.steps; ++k) {
    evaluate_nets(at(tiles, k), place(k), false);
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
  arguments.step = shape.steps;
  arguments.save = save_at(shape, shape.steps);
  launch_step(kernels.finish, tiles, arguments);
}

template void LayeredCall<float>::forward(std::uint64_t, const BlockTiles&,
                                          const SimulateArguments<float>&, bool) const;
template void LayeredCall<double>::forward(std::uint64_t, const BlockTiles&,
                                           const SimulateArguments<double>&, bool) const;

}  // namespace ito::cuda
