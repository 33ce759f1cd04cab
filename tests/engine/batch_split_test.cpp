// A path does not depend on the call it runs in: neither on the split of paths into calls nor on
// the number of threads. Bit for bit; sums over paths agree to rounding.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

class BatchSplit : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, BatchSplit, ::testing::ValuesIn(engines()), engine_name);

/// All kinds of nets, of initial states, and one observation each.
constexpr const char* models[] = {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop",
                                  "affine_constant_drift", "context_every_step",
                                  "one_dimension",         "first_path_17",
                                  "zero_identity_none"};

template <class T>
std::vector<T> part(const std::vector<T>& values, std::uint64_t paths, std::uint64_t begin,
                    std::uint64_t size) {
  const std::size_t each = values.size() / paths;
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin * each);
  return {first, first + static_cast<std::ptrdiff_t>(size * each)};
}

PathValues part(const PathValues& all, std::uint64_t paths, std::uint64_t begin,
                std::uint64_t size) {
  return {part(all.states, paths, begin, size),
          part(all.energy, paths, begin, size),
          part(all.martingale, paths, begin, size),
          part(all.interval_energy, paths, begin, size),
          part(all.interval_martingale, paths, begin, size),
          part(all.status, paths, begin, size)};
}

/// Paths [begin, begin + size) of a call as a call of their own.
Call part(const Call& whole, std::size_t state, std::uint64_t begin, std::uint64_t size) {
  Call out = whole;
  out.paths = size;
  out.first_path = whole.first_path + begin;
  if (whole.x0.size() > state) out.x0 = part(whole.x0, whole.paths, begin, size);
  return out;
}

TEST_P(BatchSplit, ChangesNoPath) {
  constexpr std::uint64_t paths = 1100;
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const auto d = static_cast<std::size_t>(row.model.state);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues whole = AnyPlan(GetParam(), row.model).simulate(inputs.parameters, call);
    AnyPlan plan(GetParam(), row.model, {}, 1);
    for (const std::uint64_t size : {1u, 3u, 16u, 63u, 64u, 65u, 1000u}) {
      // Single paths: those around the seams of tiles.
      const std::uint64_t begin = size == 1 ? 40 : 0, end = size == 1 ? 140 : paths;
      for (std::uint64_t at = begin; at < end; at += size) {
        const std::uint64_t count = std::min(size, end - at);
        ASSERT_EQ(plan.simulate(inputs.parameters, part(call, d, at, count)),
                  part(whole, paths, at, count))
            << name << ": " << count << " paths from " << at;
      }
    }
  }
}

TEST_P(BatchSplit, GivesAPathTheSameBitsAloneAndAmongMany) {
  const ModelCase& row = model_case("mlp_diagonal_feedback");
  AnyPlan plan(GetParam(), row.model);
  const auto parameters = row.inputs(1).parameters;
  Call call{.paths = 1, .seed = 4};
  const PathValues alone = plan.simulate(parameters, call);
  call.paths = GetParam().sample;
  EXPECT_EQ(part(plan.simulate(parameters, call), call.paths, 0, 1), alone);
}

TEST_P(BatchSplit, ChangesNoPathOfWholeObservations) {
  constexpr std::uint64_t paths = 200;
  const ModelCase& row = model_case("context_of_three");
  const auto d = static_cast<std::size_t>(row.model.state);
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const std::uint64_t per = call.paths_per_observation, rows = call.observations();
  ASSERT_EQ(rows, 3u);
  AnyPlan plan(GetParam(), row.model);
  const PathValues whole = plan.simulate(inputs.parameters, call);
  for (std::uint64_t r = 0; r < rows; ++r) {
    const std::uint64_t count = std::min(per, paths - r * per);
    Call one = part(call, d, r * per, count);
    one.context = part(call.context, rows, r, 1);
    EXPECT_EQ(plan.simulate(inputs.parameters, one), part(whole, paths, r * per, count));
  }
}

TEST_P(BatchSplit, OfThreadsChangesNoBitOfPathsOrGradients) {
  constexpr std::uint64_t paths = 700;
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 3);
    AnyPlan one(GetParam(), row.model, {}, 1);
    const PathValues states = one.simulate(inputs.parameters, call);
    const GradientValues gradient = one.adjoint(inputs.parameters, call, cotangents);
    for (const int threads : {2, 3, 7}) {
      AnyPlan plan(GetParam(), row.model, {}, threads);
      EXPECT_EQ(plan.simulate(inputs.parameters, call), states) << name << threads;
      EXPECT_EQ(plan.adjoint(inputs.parameters, call, cotangents), gradient) << name << threads;
    }
  }
}

TEST_P(BatchSplit, OfThreadsChangesNoBitWithSeveralObservations) {
  constexpr std::uint64_t paths = 700;
  for (const char* name : {"context_of_three", "context_affine", "context_wide_drift"}) {
    const ModelCase& row = model_case(name);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 3);
    const GradientValues one =
        AnyPlan(GetParam(), row.model, {}, 1).adjoint(inputs.parameters, call, cotangents);
    EXPECT_EQ(AnyPlan(GetParam(), row.model, {}, 3).adjoint(inputs.parameters, call, cotangents),
              one)
        << name;
  }
}

/// Gradients of the pieces add up to that of the whole; a path's own part, that of its X_0, stays.
TEST_P(BatchSplit, AddsGradientsUpToRounding) {
  constexpr std::uint64_t paths = 300;
  // Norm-wise, a float32 sum of pieces rounds by some 6e-8.
  const double rounding = GetParam().double_precision ? 1e-14 : 1e-6;
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const auto d = static_cast<std::size_t>(row.model.state);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 3);
    AnyPlan plan(GetParam(), row.model, {}, 1);
    const GradientValues whole = plan.adjoint(inputs.parameters, call, cotangents);
    for (const std::uint64_t size : {3u, 16u, 65u}) {
      SCOPED_TRACE(name + std::to_string(size));
      GradientValues sum{std::vector<double>(whole.parameters.size()),
                         {},
                         std::vector<double>(whole.context.size())};
      for (std::uint64_t at = 0; at < paths; at += size) {
        const std::uint64_t count = std::min(size, paths - at);
        const GradientValues piece = plan.adjoint(inputs.parameters, part(call, d, at, count),
                                                  part(cotangents, paths, at, count));
        for (std::size_t p = 0; p < sum.parameters.size(); ++p) {
          sum.parameters[p] += piece.parameters[p];
        }
        for (std::size_t c = 0; c < sum.context.size(); ++c) sum.context[c] += piece.context[c];
        sum.x0.insert(sum.x0.end(), piece.x0.begin(), piece.x0.end());
      }
      EXPECT_LE(relative_error(sum.parameters, whole.parameters), rounding);
      EXPECT_LE(relative_error(sum.context, whole.context), rounding);
      EXPECT_LE(relative_error(sum.x0, whole.x0), rounding);
    }
  }
}

}  // namespace
}  // namespace ito::test
