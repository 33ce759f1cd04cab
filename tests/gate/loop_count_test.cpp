#include "gate/loop_count.hpp"

#include <gtest/gtest.h>

#include <ito/error.hpp>

#include "gate/bounds.hpp"
#include "gate/sass_listing.hpp"

namespace ito::cuda {
namespace {

SassFunction kernel(const std::vector<std::string>& lines) {
  return read_sass(listing(lines)).at(0);
}

TimeLoop count(const std::vector<std::string>& lines, std::vector<int> trips = {}) {
  return count_time_loop(kernel(lines), trips);
}

std::string refusal(const std::vector<std::string>& lines, std::vector<int> trips = {}) {
  try {
    count(lines, std::move(trips));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TimeLoop, CountsAStepByKind) {
  const TimeLoop loop =
      count({"MOV R1, 0x0", ".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8",
             "HMMA.16816.F32 R8, R4, R6, R8", "MUFU.TANH R8, R8", "FFMA R9, R9, R9, R9",
             "LDS.128 R4, [R2]", "ISETP.NE.AND P0, PT, R1, R3, PT", "@P0 BRA `(.L_x_0)", "EXIT"});
  EXPECT_EQ(loop.main.total(), 7);
  EXPECT_EQ(loop.main[PipeKind::tensor], 2);
  EXPECT_EQ(loop.main[PipeKind::special], 1);
  EXPECT_EQ(loop.main[PipeKind::fma], 1);
  EXPECT_EQ(loop.main[PipeKind::shared], 1);
  EXPECT_EQ(loop.main[PipeKind::alu], 1);
  EXPECT_EQ(loop.main[PipeKind::branch], 1);
  EXPECT_EQ(loop.skipped.total(), 0);
  EXPECT_EQ(loop.begin, 0x10);
  EXPECT_EQ(loop.end, 0x80);
}

TEST(TimeLoop, GoesRoundWhatABranchJumpsOver) {
  const TimeLoop loop = count({".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8", "@P1 BRA `(.L_x_1)",
                               "STG.E [R2], R8", "@P2 BRA `(.L_x_1)", "STG.E [R2], R9",
                               ".L_x_1:", "FADD R8, R8, R8", "@P0 BRA `(.L_x_0)", "EXIT"});
  EXPECT_EQ(loop.main.total(), 4);
  EXPECT_EQ(loop.main[PipeKind::global], 0);
  EXPECT_EQ(loop.skipped.total(), 3);
  EXPECT_EQ(loop.skipped[PipeKind::global], 2);
}

TEST(TimeLoop, TakesTheLongerOfTwoWays) {
  const TimeLoop loop =
      count({".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8", "@P1 BRA `(.L_x_1)", "FADD R8, R8, R8",
             "BRA `(.L_x_2)", ".L_x_1:", "FMUL R8, R8, R8", "FMUL R8, R8, R8", "FMUL R8, R8, R8",
             ".L_x_2:", "@P0 BRA `(.L_x_0)", "EXIT"});
  EXPECT_EQ(loop.main.total(), 6);
  EXPECT_EQ(loop.main[PipeKind::fma], 3);
}

TEST(TimeLoop, TakesTheWayThatCallsNoRoutine) {
  const TimeLoop loop =
      count({".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8", "BSSY B0, `(.L_x_3)", "@!P1 BRA `(.L_x_1)",
             "MOV R4, R5", "MOV R4, R5", "CALL.REL.NOINC `($__internal_0_$__sqrt)", "BRA `(.L_x_2)",
             ".L_x_1:", "FMUL R8, R8, R8", ".L_x_2:", "BSYNC B0", ".L_x_3:", "@P0 BRA `(.L_x_0)",
             "EXIT", "$__internal_0_$__sqrt:", "MUFU.RSQ R1, R1", "RET.REL.NODEC R2 `(kernel)"});
  EXPECT_EQ(loop.main.total(), 6);
  EXPECT_EQ(loop.main[PipeKind::alu], 0);
  EXPECT_EQ(loop.calls, 1);
  EXPECT_EQ(loop.call_length, 2);
}

TEST(TimeLoop, UniformCountersAndBranches) {
  const TimeLoop loop = count({".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8", "UMOV UR4, URZ",
                               ".L_x_1:", "HMMA.16816.F32 R8, R4, R6, R8",
                               "UIADD3 UR4, UR4, 0x1, URZ", "UISETP.NE.AND UP0, UPT, UR4, 0x6, UPT",
                               "BRA.U UP0, `(.L_x_1)", "@P0 BRA `(.L_x_0)", "EXIT"});
  EXPECT_EQ(loop.inner.at(0).trips, 6);
}

TEST(TimeLoop, ACallToALabelOfTheKernelIsABranch) {
  // As sm_80 leaves a loop, and enters one where lanes have met.
  const TimeLoop loop = count(
      {".L_x_0:", "BRA.CONV ~URZ, `(.L_x_1)", "CALL.REL.NOINC `($__internal_0_$__warpsync)",
       ".L_x_1:", "HMMA.16816.F32 R8, R4, R6, R8", "@P0 CALL.REL.NOINC `(.L_x_2)", "BRA `(.L_x_0)",
       ".L_x_2:", "EXIT", "$__internal_0_$__warpsync:", "RET.REL.NODEC R2 `(kernel)"});
  EXPECT_EQ(loop.main.total(), 4);
  EXPECT_EQ(loop.calls, 0);
}

/// A time loop around a loop with a counter; `counter`: the lines between its products and its end.
std::vector<std::string> nested(const std::vector<std::string>& before,
                                const std::vector<std::string>& counter) {
  std::vector<std::string> lines{".L_x_0:", "HMMA.16816.F32 R8, R4, R6, R8"};
  lines.insert(lines.end(), before.begin(), before.end());
  lines.insert(lines.end(), {".L_x_1:", "HMMA.16816.F32 R8, R4, R6, R8"});
  lines.insert(lines.end(), counter.begin(), counter.end());
  lines.insert(lines.end(), {"@P1 BRA `(.L_x_1)", "@P0 BRA `(.L_x_0)", "EXIT"});
  return lines;
}

TEST(TimeLoop, MultipliesInnerLoopsByTheTripsOfTheirCounters) {
  struct Row {
    std::vector<std::string> before, counter;
    int trips;
  };
  const Row rows[]{
      {{"MOV R1, RZ"}, {"IADD3 R1, PT, PT, R1, 0x1, RZ", "ISETP.NE.AND P1, PT, R1, 0x3, PT"}, 3},
      {{"MOV R1, RZ"},
       {"IADD3 R1, R1, 0x1, RZ", "ISETP.LT.U32.AND P1, PT, R1, 0x2, PT", "MOV R1, 0x1"},
       2},
      // The outcome is kept in a register, as the predicate has another use.
      {{"MOV R1, RZ"},
       {"ISETP.GE.U32.AND P1, PT, R1, 0x20, PT", "IADD3 R1, R1, 0x10, RZ", "SEL R9, RZ, 0x1, P1",
        "LOP3.LUT P1, RZ, R9, 0x1, RZ, 0xc0, !PT"},
       3},
      {{"PLOP3.LUT P3, PT, PT, PT, PT, 0x80, 0x8"},
       {"PLOP3.LUT P1, PT, PT, PT, P3, 0x80, 0x8", "PLOP3.LUT P3, PT, PT, PT, PT, 0x8, 0x80"},
       2},
      {{"MOV R1, RZ"}, {"VIADD R1, R1, 0x1", "ISETP.NE.AND P1, PT, R1, 0x4, PT"}, 4},
      {{"CS2R R0, SRZ"}, {"ISETP.LT.U32.AND P1, PT, R1, 0x4, PT", "IADD3 R1, R1, 0x1, RZ"}, 5},
      {{"IMAD.MOV.U32 R1, RZ, RZ, 0x10"},
       {"IADD3 R1, R1, -0x2, RZ", "ISETP.GT.AND P1, PT, R1, RZ, PT"},
       8},
      {{"HFMA2.MMA R1, -RZ, RZ, 0, 1.78813934326171875e-07"},  // the bits of 3
       {"IADD3 R2, R1, 0x1, RZ", "ISETP.NE.AND P1, PT, R2, 0x6, PT", "MOV R1, R2"},
       3},
  };
  for (const Row& row : rows) {
    const TimeLoop loop = count(nested(row.before, row.counter));
    ASSERT_EQ(loop.inner.size(), 1u);
    EXPECT_EQ(loop.inner[0].trips, row.trips) << row.counter[0];
    const double body = 2 + static_cast<double>(row.counter.size());
    EXPECT_EQ(loop.inner[0].once.total(), body);
    EXPECT_EQ(loop.main.total(), 3 + row.trips * body);
    EXPECT_EQ(loop.main[PipeKind::tensor], 1 + row.trips);
  }
}

TEST(TimeLoop, RefusesATripCountThatItDoesNotKnow) {
  // Bounds in a register, starts from memory, two updates, an update under a condition.
  const std::vector<std::string> unknown[]{
      nested({"MOV R1, RZ"}, {"VIADD R1, R1, 0x1", "ISETP.NE.AND P1, PT, R1, R5, PT"}),
      nested({"LDS R1, [R2]"}, {"VIADD R1, R1, 0x1", "ISETP.NE.AND P1, PT, R1, 0x4, PT"}),
      nested({"LDS.64 R0, [R2]"}, {"VIADD R1, R1, 0x1", "ISETP.NE.AND P1, PT, R1, 0x4, PT"}),
      nested({"MOV R1, RZ"}, {"@P3 VIADD R1, R1, 0x1", "ISETP.NE.AND P1, PT, R1, 0x4, PT"})};
  for (const auto& lines : unknown) {
    EXPECT_NE(refusal(lines).find("trip count: got of the loop at 0x20 of kernel"),
              std::string::npos)
        << refusal(lines);
    EXPECT_EQ(count(lines, {7}).inner.at(0).trips, 7);
  }
  EXPECT_NE(refusal(unknown[0], {7, 8}).find("trips: got 2"), std::string::npos);
}

TEST(TimeLoop, IsTheOutermostThatHasProductsOfItsOwn) {
  // Groups of paths, with a loop that computes states again (shorter) and the one back through
  // time.
  const TimeLoop loop =
      count({".L_x_0:", "MOV R1, R2", ".L_x_1:", "HMMA.16816.F32 R8, R4, R6, R8",
             "@P1 BRA `(.L_x_1)", ".L_x_2:", "HMMA.16816.F32 R8, R4, R6, R8", "FADD R8, R8, R8",
             "@P2 BRA `(.L_x_2)", "@P0 BRA `(.L_x_0)", "EXIT"});
  EXPECT_EQ(loop.main.total(), 3);
  EXPECT_EQ(loop.begin, 0x30);
}

TEST(TimeLoop, HasTheNoiseWhereNetsAreInInnerLoops) {
  // A loop of segments with a division, steps, and nets that take turns.
  const std::vector<std::string> lines{".L_x_0:",
                                       "MUFU.RCP R1, R2",
                                       ".L_x_1:",
                                       "MUFU.LG2 R1, R1",
                                       "MOV R3, RZ",
                                       ".L_x_2:",
                                       "HMMA.16816.F32 R8, R4, R6, R8",
                                       "VIADD R3, R3, 0x1",
                                       "ISETP.NE.AND P2, PT, R3, 0x2, PT",
                                       "@P2 BRA `(.L_x_2)",
                                       "@P1 BRA `(.L_x_1)",
                                       "@P0 BRA `(.L_x_0)",
                                       "EXIT"};
  const TimeLoop loop = count(lines);
  EXPECT_EQ(loop.begin, 0x10);
  EXPECT_EQ(loop.main.total(), 3 + 2 * 4);
  EXPECT_EQ(loop.main.tensor_fmas, 2 * 2048);
  EXPECT_NO_THROW(count_time_loop(kernel(lines), {}, 4096));
  EXPECT_THROW(count_time_loop(kernel(lines), {}, 4097), Error);
}

TEST(TimeLoop, WithoutProductsIsTheLongest) {
  const TimeLoop loop =
      count({".L_x_0:", "MOV R1, R2", "@P1 BRA `(.L_x_0)", ".L_x_1:", "MUFU.EX2 R1, R1",
             "FADD R1, R1, R1", "@P0 BRA `(.L_x_1)", "EXIT"});
  EXPECT_EQ(loop.main[PipeKind::special], 1);
  EXPECT_NE(refusal({"MOV R1, R2", "EXIT"}).find("has no loop"), std::string::npos);
}

TEST(TimeLoop, RefusesWhatItCannotFollow) {
  EXPECT_NE(refusal({}).find("has no code"), std::string::npos);
  EXPECT_NE(refusal({"BRX R2 -0x10"}).find("branch: got 0x0 of kernel: BRX"), std::string::npos);
  EXPECT_NE(refusal({"BRA `(.L_x_7)"}).find(".L_x_7"), std::string::npos);
  EXPECT_NE(refusal({"BRA `(.L_x_0)", "HMMA.16816.F32 R8, R4, R6, R8", ".L_x_0:", "MOV R1, R2",
                     "@P0 BRA `(.L_x_0)", "EXIT"})
                .find("HMMA.16816.F32 at 0x10 nothing reaches"),
            std::string::npos);
  // A loop that is entered at two instructions.
  EXPECT_NE(refusal({"@P0 BRA `(.L_x_1)", ".L_x_0:", "MOV R1, R2", ".L_x_1:", "MOV R2, R1",
                     "@P1 BRA `(.L_x_0)", "EXIT"})
                .find("two entries"),
            std::string::npos);
}

TEST(Bounds, NameKernelsPrecisionsAndShapes) {
  EXPECT_GT(most_instructions(90, "simulate", "fast", "latent-4x64"), 0);
  EXPECT_EQ(most_instructions(90, "simulate", "fast", "another"), 0);
}

}  // namespace
}  // namespace ito::cuda
