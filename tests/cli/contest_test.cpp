#include "cli/contest.hpp"

namespace {

TEST_F(Contest, OfManyFitsForOneFolderLeavesOneFitsFiles) { run_rounds(12, 1); }

// Only `./run test --stress` runs it.
TEST_F(Contest, OfManyFitsForOneFolderLeavesOneFitsFilesInEveryRoundStress) { run_rounds(800, 2); }

}  // namespace
