#include "cli/contest.hpp"

namespace {

// tests/stress has many rounds of it.
TEST_F(Contest, OfManyFitsForOneFolderLeavesOneFitsFiles) { run_rounds(12, 1); }

}  // namespace
