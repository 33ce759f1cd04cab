// Whether the tensor cores add up wgmma and mma alike, to the last bit, so that kernels may take
// either for the same path.
#pragma once

#include "kernels/arithmetic/philox.cuh"
#include "kernels/device/arguments.cuh"
#include "kernels/device/tile.cuh"
#include "kernels/device/wgmma.cuh"

namespace ito::cuda {

/// Two f16 of any sign and of sizes 2⁻¹² to 2³.
ITO_DEVICE unsigned half_pair(unsigned bits) {
  return (bits & 0x83FF83FFu) | (((bits >> 10) & 0x000F000Fu) + 0x00030003u) << 10;
}

/// A warpgroup a block, which adds the same products up both ways for some rounds: from zero in the
/// first, and of eight channels in every second, which kernels with mma give half an operand. A
/// template, since other architectures read it too.
template <class Arguments>
ITO_DEVICE void compare_sums(const Arguments& arguments) {
  constexpr unsigned kRounds = 8;
  constexpr int kTiles = 8;
  const auto words = shared_memory().as<unsigned>();
  const MatrixDescriptor right = matrix_descriptor(shared_memory().as<unsigned short>(), 128, 256);
  float sums[4 * kTiles];
  Tile<float> others[kTiles];
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) others[n] = uniform_tile(0.0f);
  ITO_UNROLL
  for (float& sum : sums) sum = 0.0f;
  for (unsigned round = 0; round < kRounds; ++round) {
    const bool half = round % 2 == 1;
    const auto own = philox<unsigned>({{round, thread_index(), block_index(), 0}}, 1u, 2u);
    unsigned left[4], weights[kTiles][2];
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) left[i] = half && i >= 2 ? 0 : half_pair(own.word[i]);
    ITO_UNROLL
    for (unsigned n = 0; n < kTiles; ++n) {
      const auto shared = philox<unsigned>({{round, lane_index(), block_index(), 1 + n}}, 1u, 2u);
      ITO_UNROLL
      for (unsigned i = 0; i < 2; ++i) {
        weights[n][i] = half_pair(shared.word[i]);
        if (warp_index() == 0) words.store(64u * n + 32u * i + lane_index(), weights[n][i]);
      }
    }
    proxy_fence();
    block_barrier();
    wgmma_fence(sums, left);
    wgmma_f16(sums, left, right, round > 0);
    wgmma_commit();
    wgmma_wait<0>(sums);
    block_barrier();
    ITO_UNROLL
    for (int n = 0; n < kTiles; ++n) {
      const unsigned first[2] = {left[0], left[1]};
      if (half)
        mma_f16_k8(others[n].v, first, weights[n][0]);
      else
        mma_f16(others[n].v, left, weights[n]);
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (float_bits(sums[4 * n + e]) != float_bits(others[n].v[e])) *arguments.differ = 1;
      }
    }
  }
}

}  // namespace ito::cuda
