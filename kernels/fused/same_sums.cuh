// Whether the tensor cores add up wgmma and mma alike, to the last bit, so that kernels may take
// either for the same path.
#pragma once

#include "kernels/arithmetic/philox.cuh"
#include "kernels/device/tile.cuh"
#include "kernels/device/wgmma.cuh"

namespace ito::cuda {

struct SameSumsArguments {
  unsigned* differ;  ///< set to 1 where they do not; 0 before
};

/// Two f16 of any sign and of sizes 2⁻¹² to 2³.
ITO_DEVICE unsigned half_pair(unsigned bits) {
  return (bits & 0x83FF83FFu) | (((bits >> 10) & 0x000F000Fu) + 0x00030003u) << 10;
}

/// A warpgroup a block, which adds the same products up both ways for some rounds.
ITO_DEVICE void compare_sums(const SameSumsArguments& arguments) {
  constexpr unsigned kRounds = 8;
  const auto words = shared_memory().as<unsigned>();
  const MatrixDescriptor right = matrix_descriptor(shared_memory().as<unsigned short>(), 128, 128);
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f}, others[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (unsigned round = 0; round < kRounds; ++round) {
    const auto own = philox<unsigned>({{round, thread_index(), block_index(), 0}}, 1u, 2u);
    const auto shared = philox<unsigned>({{round, lane_index(), block_index(), 1}}, 1u, 2u);
    unsigned left[4];
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) left[i] = half_pair(own.word[i]);
    const unsigned weights[2] = {half_pair(shared.word[0]), half_pair(shared.word[1])};
    if (warp_index() == 0) {
      words.store(lane_index(), weights[0]);
      words.store(32u + lane_index(), weights[1]);
    }
    proxy_fence();
    block_barrier();
    wgmma_fence(sums, left);
    wgmma_f16(sums, left, right, true);
    wgmma_commit();
    wgmma_wait<0>(sums);
    block_barrier();
    mma_f16(others, left, weights);
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (float_bits(sums[i]) != float_bits(others[i])) *arguments.differ = 1;
    }
  }
}

}  // namespace ito::cuda
