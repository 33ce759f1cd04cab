#include "kernels/device/outer_product.cuh"

#include <gtest/gtest.h>

#include "simt/run.hpp"

namespace ito::cuda {
namespace {

/// A number that 16 bits hold, another for every path and channel.
float factor(unsigned path, unsigned channel) {
  return static_cast<float>(static_cast<int>(path * 7 + channel * 3) % 64 - 32) / 16;
}

/// The operand of channels 16·block … of the warp's 16 paths.
HalfProduct::Operand operand_of(unsigned block) {
  Tile<float> tiles[2];
  for (unsigned n = 0; n < 2; ++n) {
    for (unsigned e = 0; e < 4; ++e) {
      tiles[n].v[e] = factor(
          tile_row() + 8 * (e / 2),
          16 * block + static_cast<unsigned>(channel_of(static_cast<int>(n), static_cast<int>(e))));
    }
  }
  return HalfProduct::operand(tiles);
}

constexpr int row_length = staged_row(4, 2);
constexpr unsigned array_bytes = 2 * 16 * row_length;

template <bool kAtOnce>
void expect_paths_in_rows() {
  run_warp(
      [] {
        const StagedArray<unsigned short> array{shared_memory().as<unsigned short>(), row_length};
        for (unsigned block = 0; block < 2; ++block) {
          HalfOuter<1>::store_matrices<kAtOnce>(array, static_cast<int>(block),
                                                operand_of(block).v);
        }
        warp_barrier();
        for (unsigned i = lane_index(); i < 16 * 32; i += 32) {
          const unsigned path = i / 32, channel = i % 32;
          EXPECT_EQ(simt::f16_value(array.at(path, channel, 0).load(0)), factor(path, channel));
        }
      },
      array_bytes);
}

TEST(OuterProduct, StagesAPathARow) { expect_paths_in_rows<true>(); }
TEST(OuterProduct, StagesAPathARowByOrdinaryStores) { expect_paths_in_rows<false>(); }

TEST(OuterProduct, SumsOverPaths) {
  run_warp(
      [] {
        using Outer = HalfOuter<1>;
        const StagedArray<unsigned short> array{shared_memory().as<unsigned short>(), row_length};
        for (int block = 0; block < 2; ++block) {
          Outer::store(array, block, operand_of(static_cast<unsigned>(block)));
        }
        warp_barrier();
        Tile<float> sum = uniform_tile(0.0f);
        Outer::accumulate(sum, Outer::left(array, {0, 1}, 0), Outer::right(array, {0, 0}, 0), 1);
        for (unsigned e = 0; e < 4; ++e) {  // rows 16 … 31, columns 8 … 15
          const unsigned row = 16 + tile_row() + 8 * (e / 2),
                         column = 8 + 2 * tile_column() + e % 2;
          float wanted = 0;
          for (unsigned path = 0; path < 16; ++path)
            wanted += factor(path, row) * factor(path, column);
          EXPECT_EQ(sum.v[e], wanted) << row << ", " << column;
        }
      },
      array_bytes);
}

}  // namespace
}  // namespace ito::cuda
