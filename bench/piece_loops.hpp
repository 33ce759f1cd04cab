#pragma once

#include "peak_loops.hpp"

#include "cpu/isa/net.hpp"
#include "cpu/isa/noise.hpp"

namespace bench {

/// Independent sums that stay in registers: enough to hide the latency of an FMA, which is 4 cycles
/// on two ports.
inline constexpr int fma_chains = 12;
inline constexpr int fma_repeats = 1 << 18;

/// Hides a register's content from the compiler, which would do without multiplying.
template <class Lanes>
inline void hide(Lanes& lanes) {
#ifdef __AVX512F__
  asm volatile("" : "+v"(lanes.data));
#else
  asm volatile("" : "+x"(lanes.data));
#endif
}

template <class Arch>
void run_fmas() {
  using L = ito::cpu::Lanes<Arch>;
  L a(0.5F), b(1.0F), value[fma_chains];
  hide(a);
  hide(b);
#pragma GCC unroll 12
  for (L& v : value) hide(v = L(1.0F));
  for (int i = 0; i < fma_repeats; ++i) {
#pragma GCC unroll 12
    for (L& v : value) hide(v = xsimd::fma(a, v, b));
  }
}

inline constexpr int activation_inputs = 1024;  ///< they fit the L1 cache
inline constexpr int activation_repeats = 1 << 11;

template <class Arch, ito::Activation kActivation>
void run_activations() {
  alignas(64) float x[activation_inputs], y[activation_inputs];
  for (int i = 0; i < activation_inputs; ++i) {
    x[i] = static_cast<float>(i - activation_inputs / 2) * (8.0F / activation_inputs);
  }
  for (int repeat = 0; repeat < activation_repeats; ++repeat) {
    asm volatile("" : : "r"(x), "r"(y) : "memory");
#pragma GCC unroll 4
    for (int i = 0; i < activation_inputs; i += ito::cpu::lane_count<Arch>) {
      ito::value_and_slope<kActivation>(ito::cpu::load<Arch>(x + i)).value.store_aligned(y + i);
    }
  }
  asm volatile("" : : "r"(y) : "memory");
}

template <class Arch, std::size_t... kIndex>
constexpr PeakLoops make_loops(const char* name, const Pieces& pieces,
                               std::index_sequence<kIndex...>) {
  constexpr int lanes = ito::cpu::lane_count<Arch>;
  constexpr double fmas = double{fma_repeats} * fma_chains * lanes;
  constexpr double evaluations = double{activation_inputs} * activation_repeats;
  return {name,
          lanes,
          {run_fmas<Arch>, fmas},
          {PeakLoop{run_activations<Arch, timed_activations[kIndex]>, evaluations}...},
          pieces};
}
template <class Arch>
constexpr PeakLoops make_loops(const char* name, const Pieces& pieces) {
  return make_loops<Arch>(name, pieces, std::make_index_sequence<timed_activations.size()>{});
}

inline constexpr int piece_width = 64;
inline constexpr int piece_state = 4;
inline constexpr int piece_repeats = 64;

// The pieces of a step of latent-4x64, for one tile: the engine's own code on memory of the size
// that a layer has in the engine.
struct PieceArrays {
  static constexpr std::size_t matrix = std::size_t{piece_width} * ito::cpu::tile_paths;
  alignas(64) float weights[matrix], inputs[matrix], outputs[matrix], transposed[matrix];
  alignas(64) float sums[std::size_t{piece_width} * piece_state * ito::cpu::sum_lanes];
  alignas(64) float weight_sums[matrix];
};

inline PieceArrays& piece_arrays() {
  thread_local PieceArrays arrays{};
  return arrays;
}

template <class Arch, int kOutputs, int kInputs>
void run_tanh_layer() {
  PieceArrays& a = piece_arrays();
  const ito::cpu::LayerCall call{
      {a.weights, kInputs, 1}, a.inputs, kOutputs, kInputs, a.weights, nullptr, a.outputs, nullptr};
  for (int i = 0; i < piece_repeats; ++i) {
    ito::cpu::run_layer<Arch, ito::ActivationFunction<ito::Activation::tanh>, false>(call);
  }
}

template <class Arch>
void run_output_layer() {
  PieceArrays& a = piece_arrays();
  const ito::cpu::LayerCall call{{a.weights, piece_width, 1},
                                 a.inputs,
                                 piece_state,
                                 piece_width,
                                 a.weights,
                                 nullptr,
                                 a.outputs,
                                 nullptr};
  for (int i = 0; i < piece_repeats; ++i) {
    ito::cpu::run_layer<Arch, ito::ActivationFunction<ito::Activation::identity>, false>(call);
  }
}

template <class Arch, int kOutputs, int kInputs>
void run_delta() {
  PieceArrays& a = piece_arrays();
  const ito::cpu::DeltaCall call{
      {a.weights, 1, kOutputs}, a.inputs, kOutputs, kInputs, a.transposed, nullptr, a.outputs};
  for (int i = 0; i < piece_repeats; ++i)
    ito::cpu::next_delta<Arch, ito::ActivationFunction<ito::Activation::tanh>>(call);
}

template <class Arch>
void run_weight_gradient() {
  PieceArrays& a = piece_arrays();
  for (int i = 0; i < piece_repeats; ++i) {
    ito::cpu::transpose_tile<Arch>(a.inputs, piece_width, a.transposed);
    ito::cpu::accumulate_outer<Arch>(a.outputs, piece_width, a.transposed, piece_width,
                                     a.weight_sums);
  }
}

template <class Arch>
void run_thin_gradient() {
  PieceArrays& a = piece_arrays();
  for (int i = 0; i < piece_repeats; ++i) {
    ito::cpu::accumulate_thin_outer<Arch>(a.outputs, piece_state, a.inputs, piece_width, a.sums);
  }
}

template <class Arch>
void run_bias_gradient() {
  PieceArrays& a = piece_arrays();
  for (int i = 0; i < piece_repeats; ++i) {
    ito::cpu::accumulate_rows<Arch>(a.inputs, piece_width, 1.0F, a.sums);
  }
}

template <class Arch>
void run_normals() {
  PieceArrays& a = piece_arrays();
  for (std::uint32_t i = 0; i < piece_repeats; ++i) {
    ito::cpu::tile_normals<Arch>(7, 0, i, 0, piece_state, a.outputs);
  }
}

template <class Arch>
constexpr Pieces make_pieces() {
  constexpr double runs = piece_repeats, paths = ito::cpu::tile_paths;
  constexpr double square = paths * piece_width * piece_width;
  constexpr double thin = paths * piece_width * piece_state;
  constexpr double units = paths * piece_width;
  constexpr int h = piece_width, d = piece_state;
  return {{{"tanh-layer-64-from-4", {run_tanh_layer<Arch, h, d>, runs}, thin, units},
           {"tanh-layer-64-from-64", {run_tanh_layer<Arch, h, h>, runs}, square, units},
           {"output-layer-4-from-64", {run_output_layer<Arch>, runs}, thin, 0},
           {"cotangents-64-from-4", {run_delta<Arch, h, d>, runs}, thin, 0},
           {"cotangents-64-from-64", {run_delta<Arch, h, h>, runs}, square, 0},
           {"weight-gradient-64x64", {run_weight_gradient<Arch>, runs}, square, 0},
           {"weight-gradient-64x4", {run_thin_gradient<Arch>, runs}, thin, 0},
           {"bias-gradient-64", {run_bias_gradient<Arch>, runs}, 0, 0},
           {"normals-4", {run_normals<Arch>, runs}, 0, 0}}};
}

}  // namespace bench
