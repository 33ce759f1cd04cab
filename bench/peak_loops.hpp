#pragma once

#include <array>
#include <cstdint>

#include "cpu/net.hpp"

namespace bench {

/// The activations of the benchmarks, and their places in PeakLoops::activations.
inline constexpr std::array timed_activations{ito::Activation::tanh, ito::Activation::sigmoid,
                                              ito::Activation::softplus, ito::Activation::silu,
                                              ito::Activation::relu};

/// A loop that does one kind of work and nothing else.
struct PeakLoop {
  void (*run)();
  double count;  ///< of what one run does, over all lanes
};

/// A piece of a step of the reference workload, for one tile.
struct Piece {
  const char* name;
  PeakLoop loop;       ///< counts runs
  double fmas;         ///< a run, over all lanes, that define the answer
  double activations;  ///< likewise, of tanh
};
using Pieces = std::array<Piece, 9>;

/// The loops compiled for one instruction set.
struct PeakLoops {
  const char* instruction_set;
  int lanes;                                                   ///< of a vector
  PeakLoop fma;                                                ///< a·b + c; two operations on sse2
  std::array<PeakLoop, timed_activations.size()> activations;  ///< the engine's own
  Pieces pieces;                                               ///< likewise
};

extern const PeakLoops sse2_loops, avx2_loops, avx512_loops;

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
  using L = ito::Lanes<Arch>;
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
    for (int i = 0; i < activation_inputs; i += ito::lane_count<Arch>) {
      ito::value_and_slope<kActivation>(ito::load<Arch>(x + i)).value.store_aligned(y + i);
    }
  }
  asm volatile("" : : "r"(y) : "memory");
}

template <class Arch, std::size_t... kIndex>
constexpr PeakLoops make_loops(const char* name, const Pieces& pieces,
                               std::index_sequence<kIndex...>) {
  constexpr int lanes = ito::lane_count<Arch>;
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

}  // namespace bench
