#include "cli/contest.hpp"

namespace {

TEST_F(Contest, OfManyFitsForOneFolderLeavesOneFitsFilesInEveryRound) { run_rounds(800, 2); }

}  // namespace
