// The gradient of a constant σ that mixes channels, which takes no net.
#pragma once

#include "kernels/arithmetic/euler_maruyama.cuh"
#include "kernels/fused/path.cuh"
#include "kernels/fused/units.cuh"

namespace ito::cuda {

/// The gradient of a constant mixing σ: λ wᵀ over the paths of a block. √h goes with λ, so that
/// what is staged is of the noise's size, without a unit.
template <class P, class Shape, class Nets, class Sums>
requires(Nets::kStages) ITO_DEVICE
    void mixing_gradient(Nets& nets, Sums& sums, StepSize<typename P::Number> step,
                         const Tile<typename P::Number> (&w)[noise_tiles<Shape>],
                         const Tile<typename P::Number> (&lambda)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  using Diffusion = typename Shape::Diffusion;
  constexpr int kNoises = noise_tiles<Shape>, kStates = state_tiles<Shape>;
  constexpr int kBlocks = input_blocks<P, Diffusion, 0>;
  nets.settle();
  const Number scale = reciprocal(step.root_h);
  const auto inputs = nets.evaluator.template inputs<Diffusion, 0>();
  typename Product::Operand increments[kBlocks];
  make_operands<Product, kNoises>(increments, [&](int n) {
    Tile<Number> tile = uniform_tile(Number(0));
    if (n < kNoises) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) tile.v[e] = w[n < kNoises ? n : 0].v[e] * scale;
    }
    return tile;
  });
  if (nets.evaluator.writes()) {
    ITO_UNROLL
    for (int b = 0; b < kBlocks; ++b) P::Outer::store(inputs, b, increments[b]);
    pad_staged<P>(inputs, kNoises);
  }
  with_unit<P, Shape, Diffusion>(
      nets, sums, [&] { return step.root_h * largest(lambda); },
      [&](Number unit) {
        typename Product::Operand operands[delta_blocks<P, Diffusion, 0>];
        stage_outer_cotangents<P, Diffusion, 0>(nets, lambda, step.root_h * unit, operands);
        return step.root_h * unit * largest(lambda) < Number(65504) || !all_finite(lambda);
      });
  static_assert(kStates == out_tiles<Diffusion>(0));
  add_weight_gradient<P, Shape, Diffusion, 0>(nets, sums, Number(0), 0);
  nets.settled = false;
}

}  // namespace ito::cuda
