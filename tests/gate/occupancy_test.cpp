#include "gate/occupancy.hpp"

#include <gtest/gtest.h>

namespace ito::cuda {
namespace {

TEST(Occupancy, FollowsFromRegistersSharedMemoryAndBlocks) {
  // As Nsight Compute gave for kernels on an H200: registers, shared bytes, warps a block.
  EXPECT_EQ(resident_warps(90, 150, 25 << 10, 4), 12);
  EXPECT_EQ(resident_warps(90, 246, 81 << 10, 4), 8);
  EXPECT_EQ(resident_warps(90, 128, 0, 4), 16);
  EXPECT_EQ(resident_warps(90, 32, 0, 1), 32);         // blocks
  EXPECT_EQ(resident_warps(90, 32, 100 << 10, 4), 8);  // shared memory
  EXPECT_EQ(resident_warps(120, 32, 0, 8), 48);
}

}  // namespace
}  // namespace ito::cuda
