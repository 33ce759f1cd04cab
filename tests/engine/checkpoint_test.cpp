// A small workspace costs time and changes nothing: checkpoints give the same bits as stored
// states.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include <ito/error.hpp>

#include "engine/any_plan.hpp"
#include "engine/least_limit.hpp"
#include "engine/model_table.hpp"
#include "engine/workspace.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

class Checkpoint : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Checkpoint, ::testing::ValuesIn(engines()), engine_name);

constexpr const char* models[] = {"mlp_diagonal_feedback",
                                  "deep_general_rectangular_open_loop",
                                  "affine_constant_drift",
                                  "context_of_three",
                                  "context_wide_drift",
                                  "save_every_step",
                                  "one_step"};

TEST_P(Checkpoint, GivesTheBitsOfStoredStates) {
  constexpr std::uint64_t paths = 230;
  for (const char* name : models) {
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(name + std::to_string(threads));
      const ModelCase& row = model_case(name);
      const ChainInputs inputs = row.inputs(paths);
      const Call call = row.call(paths);
      const PathValues cotangents = random_cotangents(row.model, paths, 5);
      const GradientValues stored =
          AnyPlan(GetParam(), row.model, {}, threads).adjoint(inputs.parameters, call, cotangents);
      const std::size_t least = least_limit(GetParam(), row.model, call, threads);
      for (const std::size_t limit : {least, least + least / 3, 2 * least}) {
        AnyPlan plan(GetParam(), row.model, {.workspace_limit = limit}, threads);
        EXPECT_EQ(plan.adjoint(inputs.parameters, call, cotangents), stored) << limit;
      }
    }
  }
}

/// A long path has many segments of many lengths.
TEST_P(Checkpoint, GivesTheBitsOfStoredStatesOnLongPaths) {
  constexpr std::uint64_t paths = 3;
  ModelCase row = model_case("context_wide_drift");
  for (const int steps : {97, 100, 101, 500}) {
    SCOPED_TRACE(steps);
    row.model.grid = uniform_grid(1.0, steps);
    row.model.save = {0, 7, steps / 2, steps - 1};
    std::get<DriftControl>(row.model.control).context_steps = {0, 13, steps - 2};
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    const GradientValues stored =
        AnyPlan(GetParam(), row.model).adjoint(inputs.parameters, call, cotangents);
    const std::size_t least = least_limit(GetParam(), row.model, call, 2);
    EXPECT_EQ(AnyPlan(GetParam(), row.model, {.workspace_limit = least}, 2)
                  .adjoint(inputs.parameters, call, cotangents),
              stored);
  }
}

TEST_P(Checkpoint, RefusesALimitBelowTheLeastItNames) {
  const ModelCase& row = model_case("mlp_diagonal_feedback");
  const Call call = row.call(1000);
  const std::size_t least = least_limit(GetParam(), row.model, call, 2);
  ASSERT_GT(least, 1u);
  EXPECT_NO_THROW(
      AnyPlan(GetParam(), row.model, {.workspace_limit = least}, 2).workspace_bytes(call.paths));
  EXPECT_THROW(
      AnyPlan(GetParam(), row.model, {.workspace_limit = least - 1}, 2).workspace_bytes(call.paths),
      Error);
  EXPECT_THROW(AnyPlan(GetParam(), row.model, {.workspace_limit = least - 1}, 2)
                   .adjoint_in_workspace(row.inputs(1000).parameters, call, {}),
               Error);
}

TEST_P(Checkpoint, OfACallersWorkspaceGivesTheBitsOfThePlansOwn) {
  constexpr std::uint64_t paths = 230;
  for (const char* name : models) {
    SCOPED_TRACE(name);
    const ModelCase& row = model_case(name);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    const std::size_t least = least_limit(GetParam(), row.model, call, 2);
    for (const std::size_t limit : {std::size_t{1} << 28, least}) {
      AnyPlan plan(GetParam(), row.model, {.workspace_limit = limit}, 2);
      const GradientValues wanted = plan.adjoint(inputs.parameters, call, cotangents);
      EXPECT_EQ(plan.adjoint_in_workspace(inputs.parameters, call, cotangents), wanted) << limit;
    }
  }
}

/// The limit decides between storing and checkpointing by the number of tiles, and so does the
/// size: on neither side of the seam may a call outgrow the size it was told.
TEST_P(Checkpoint, StaysWithinItsWorkspaceAroundTheLimit) {
  const ModelCase& row = model_case("one_dimension");
  const std::size_t steps = row.model.grid.size() - 1;
  for (const std::uint64_t paths : {64u, 640u, 641u, 700u}) {
    const auto parameters = row.inputs(paths).parameters;
    Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    AnyPlan roomy(GetParam(), row.model, {}, 1);
    for (const std::uint64_t first : {0u, 1u, 63u}) {
      call.first_path = first;
      const GradientValues wanted = roomy.adjoint(parameters, call, cotangents);
      const std::size_t least = least_limit(GetParam(), row.model, call, 1);
      for (std::uint64_t stored = paths - 64; stored <= paths + 192; stored += 64) {
        for (const std::size_t real : {sizeof(float), sizeof(double)}) {
          const std::size_t limit = (stored + 1) * steps * real;
          if (limit < least) continue;
          SCOPED_TRACE(std::to_string(paths) + " paths from " + std::to_string(first) +
                       ", room for the states of " + std::to_string(stored));
          AnyPlan plan(GetParam(), row.model, {.workspace_limit = limit}, 1);
          EXPECT_EQ(plan.adjoint_in_workspace(parameters, call, cotangents), wanted);
        }
      }
    }
  }
}

/// Memory for the states of 100,000 steps grows as the root of their number.
TEST_P(Checkpoint, NeedsLittleMemoryForManySteps) {
  const auto least = [&](int steps) {
    Model model = model_case("one_dimension").model;
    model.save = {};
    model.grid = uniform_grid(1.0, steps);
    return least_limit(GetParam(), model, {.paths = 1024}, 2);
  };
  EXPECT_LT(least(100'000), 10.5 * static_cast<double>(least(1'000)));
}

class ForwardRun : public ::testing::TestWithParam<EngineKind> {};
/// Few paths stored whole take more than many from checkpoints.
TEST(Workspace, ForManyPathsServesFewer) {
  constexpr std::uint64_t few = 64, many = 640;
  const Model model{.state = 2,
                    .grid = uniform_grid(1.0, 400),
                    .drift = Mlp{.hidden = {4}},
                    .control = FeedbackControl{.net = {.hidden = {4}}}};
  Parameters parameters = initialize(model, 1);
  for (float& p : parameters["control.1.weight"]) p = 0.5F;
  const Request request{.paths = few, .seed = 3};
  const std::vector<float> ones(few, 1.0F);
  for (const Device device : {Device::reference(), Device::cpu()}) {
    const std::size_t limit = Plan(model, {device, 1}).workspace_bytes(few);
    Plan plan(model, {device, 1}, {.workspace_limit = limit});
    std::vector<std::byte> workspace(plan.workspace_bytes(many));
    ASSERT_LT(workspace.size(), plan.workspace_bytes(few));
    std::vector<float> gradient(plan.parameter_count());
    const Recording recording = plan.record(parameters, request, {}, workspace);
    plan.adjoint(parameters, recording, {.energy = ones}, {.parameters = gradient});
    EXPECT_EQ(
        gradient,
        plan.adjoint(parameters, plan.record(parameters, request), {.energy = ones}).parameters);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, ForwardRun, ::testing::ValuesIn(engines_of_every_kernel()),
                         engine_name);

TEST_P(ForwardRun, NeedsNoMemoryForTheStatesOfAGradient) {
  constexpr std::uint64_t paths = 70;
  const ModelCase& row = model_case("context_of_three");
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  AnyPlan roomy(GetParam(), row.model, {}, 2);
  AnyPlan plan(GetParam(), row.model, {.workspace_limit = 0}, 2);
  const PathValues wanted = roomy.simulate(inputs.parameters, call);
  EXPECT_EQ(plan.simulate(inputs.parameters, call), wanted);
  EXPECT_EQ(plan.simulate_in_workspace(inputs.parameters, call), wanted);
  const std::size_t needed = plan.simulate_workspace_bytes(paths, call.observations());
  EXPECT_EQ(needed, roomy.simulate_workspace_bytes(paths, call.observations()));
  EXPECT_LT(needed, roomy.workspace_bytes(paths, call.observations()));
  EXPECT_THROW(plan.adjoint(inputs.parameters, call, {}), Error);
}

/// The bytes of every state of all paths there can be would wrap around to nothing.
TEST(Tape, OfMoreBytesThanAnArrayHasIsRefusedWhateverTheLimit) {
  constexpr std::uint64_t paths = std::uint64_t{1} << 33;
  constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();
  const auto choose = [](std::size_t unit) {
    return Tape::choose(paths, 1 << 23, {unit, unit}, 1, everything, Keep::most);
  };
  EXPECT_EQ(choose(64).stride, 1u);  // 2^62 bytes
  EXPECT_GT(choose(128).stride, 1u);
  EXPECT_TRUE(refusal([&] { choose(std::size_t{1} << 31); }).starts_with("workspace_limit: got"));
}

/// One checkpoint less, and the segments were larger than the cache.
TEST(Tape, KeepsSegmentsWithinTheCacheWhereTheLimitAllows) {
  constexpr std::uint64_t tiles = 8192, threads = 4096;
  constexpr ChainSize chain{256, 512};
  constexpr std::size_t mega = std::size_t{1} << 20;
  const auto choose = [&](int steps, std::size_t limit, std::size_t cache, Keep keep) {
    return Tape::choose(tiles, steps, chain, threads, limit, keep, cache);
  };
  const auto bytes = [&](const Tape& tape) {
    return tiles * tape.checkpoints * chain.whole + threads * tape.segment * chain.stored;
  };
  for (const int steps : {999, 1000, 1001}) {
    const auto total = static_cast<std::uint64_t>(steps);
    const Tape least = choose(steps, 400 * mega, 0, Keep::most);
    for (const std::size_t cache : {4 * mega, 10 * mega, 17 * mega, 50 * mega}) {
      SCOPED_TRACE(std::to_string(steps) + " steps, " + std::to_string(cache));
      const Tape tape = choose(steps, 1900 * mega, cache, Keep::most);
      EXPECT_EQ(tape.checkpoints, (total + tape.stride - 1) / tape.stride);
      EXPECT_EQ(tape.segment, tape.stride);
      EXPECT_LE(threads * tape.segment * chain.stored, cache);
      const std::uint64_t fewer = tape.checkpoints - 1;
      EXPECT_GT(threads * ((total + fewer - 1) / fewer) * chain.stored, cache);
      EXPECT_EQ(choose(steps, bytes(tape), cache, Keep::most).stride, tape.stride);
      EXPECT_EQ(choose(steps, bytes(tape) - 1, cache, Keep::most).stride, least.stride);
      EXPECT_EQ(choose(steps, 1900 * mega, cache, Keep::least).stride, least.stride);
    }
    EXPECT_EQ(choose(steps, 400 * mega, 1000 * mega, Keep::most).stride, least.stride);
    EXPECT_EQ(choose(steps, 400 * mega, mega, Keep::most).stride, least.stride);
  }
}

}  // namespace
}  // namespace ito::test
