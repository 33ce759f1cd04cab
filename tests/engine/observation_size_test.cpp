// Observations of any number of paths, on every engine: each path is what it is in a call of its
// observation alone, bit for bit, and gradients are those of the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cuda/arguments.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

/// Every engine, and on CUDA every kind of kernels.
std::vector<EngineKind> all_kinds() {
  std::vector<EngineKind> kinds = host_engines();
  for (const EngineKind& kind : cuda_engines()) {
    kinds.push_back(kind);
    for (const auto& [name, kernels] : {std::pair{"_layered", CudaKernels::layered},
                                        std::pair{"_per_path", CudaKernels::per_path}}) {
      kinds.push_back(kind);
      kinds.back().name += name;
      kinds.back().kernels = kernels;
    }
  }
  return kinds;
}

struct Size {
  std::uint64_t per, first_path;
};
/// Alone in its tile, in part of one, over the seam of two, of whole ones out of line with them.
constexpr Size sizes[] = {{1, 0}, {1, 13}, {3, 9}, {7, 21}, {8, 40}, {20, 0}, {20, 17}, {32, 8}};

constexpr std::uint64_t rows = 5;

/// Five observations, the last of which has fewer paths where it can.
Call call_of(const Model& model, Size size, bool x0) {
  const std::uint64_t paths = rows * size.per - (size.per > 2 ? 2 : 0);
  const auto control = std::get<FeedbackControl>(validated(model).control);
  const auto d = static_cast<std::size_t>(model.state);
  return {.paths = paths,
          .seed = 11,
          .first_path = size.first_path,
          .x0 = x0 ? random_values(paths * d, 12) : std::vector<double>{},
          .context = random_values(
              rows * static_cast<std::size_t>(control.context) * control.context_steps.size(), 13),
          .paths_per_observation = size.per};
}

template <class T>
std::vector<T> part(const std::vector<T>& values, std::uint64_t of, std::uint64_t begin,
                    std::uint64_t end) {
  const std::size_t each = values.size() / of;
  return {values.begin() + static_cast<std::ptrdiff_t>(begin * each),
          values.begin() + static_cast<std::ptrdiff_t>(end * each)};
}

PathValues part(const PathValues& all, std::uint64_t of, std::uint64_t begin, std::uint64_t end) {
  return {part(all.states, of, begin, end),
          part(all.energy, of, begin, end),
          part(all.martingale, of, begin, end),
          part(all.interval_energy, of, begin, end),
          part(all.interval_martingale, of, begin, end),
          part(all.status, of, begin, end)};
}

/// Observations [begin, end) of a call as a call of their own.
Call observations_of(const Call& whole, std::uint64_t begin, std::uint64_t end) {
  Call out = whole;
  const std::uint64_t first = begin * whole.paths_per_observation;
  const std::uint64_t after = std::min(whole.paths, end * whole.paths_per_observation);
  out.paths = after - first;
  out.first_path += first;
  if (!whole.x0.empty()) out.x0 = part(whole.x0, whole.paths, first, after);
  out.context = part(whole.context, rows, begin, end);
  return out;
}

TEST(TileCut, PutsEveryPathInOneTileOfItsIndexAndItsObservation) {
  for (std::uint64_t per = 1; per < 40; ++per) {
    for (std::uint64_t first_path = 0; first_path < 40; ++first_path) {
      for (std::uint64_t paths = per; paths <= 4 * per; paths += (per + 1) / 2) {
        const std::uint64_t observations = (paths - 1) / per + 1;
        const cuda::TileCut cut(first_path, paths, observations, per);
        std::vector<int> times(paths);
        for (std::uint64_t t = 0; t < cut.tiles; ++t) {
          const cuda::TilePaths tile = cuda::tile_paths_of(cut.map, t);
          for (long long path = tile.first; path < tile.first + 16; ++path) {
            if (!tile.has(path)) continue;
            const auto i = static_cast<std::uint64_t>(path);
            ASSERT_LT(i, paths);
            ASSERT_EQ(i / per, tile.observation);
            ASSERT_EQ((first_path + i) / 16, tile.tile);
            ++times[i];
          }
        }
        ASSERT_EQ(std::ranges::count(times, 1), static_cast<std::ptrdiff_t>(paths))
            << per << " from " << first_path << " of " << paths;
        if (first_path % per == 0 && paths % per == 0) {
          ASSERT_LE(cut.tiles, cuda::TileCut::most(paths, observations));
        }
      }
    }
  }
}

class ObservationSize : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, ObservationSize, ::testing::ValuesIn(all_kinds()), engine_name);

TEST_P(ObservationSize, ChangesNoBitOfAPath) {
  for (const char* name : {"context_of_three", "context_affine"}) {
    const ModelCase& row = model_case(name);
    const std::vector<double> parameters = row.inputs(1).parameters;
    AnyPlan plan(GetParam(), row.model);
    for (const Size size : sizes) {
      SCOPED_TRACE(name + (" " + std::to_string(size.per)) + " from " +
                   std::to_string(size.first_path));
      const Call call = call_of(row.model, size, true);
      const PathValues whole = plan.simulate(parameters, call);
      for (std::uint64_t r = 0; r < rows; ++r) {
        const Call one = observations_of(call, r, r + 1);
        ASSERT_EQ(plan.simulate(parameters, one),
                  part(whole, call.paths, r * size.per, r * size.per + one.paths))
            << "observation " << r;
      }
      const Call rest = observations_of(call, 2, rows);
      EXPECT_EQ(plan.simulate(parameters, rest), part(whole, call.paths, 2 * size.per, call.paths));
    }
  }
}

TEST_P(ObservationSize, GivesTheReferencesPathsAndGradients) {
  const EngineKind& kind = GetParam();
  for (const char* name : {"context_of_three", "context_affine"}) {
    const ModelCase& row = model_case(name);
    const std::vector<double> parameters = row.inputs(1).parameters;
    AnyPlan plan(kind, row.model), exact(engine("reference64"), row.model);
    for (const Size size : sizes) {
      SCOPED_TRACE(name + (" " + std::to_string(size.per)) + " from " +
                   std::to_string(size.first_path));
      const Call call = call_of(row.model, size, true);
      const PathValues cotangents = random_cotangents(row.model, call.paths, 14);
      const PathValues got = plan.simulate(parameters, call);
      const PathValues wanted = exact.simulate(parameters, call);
      EXPECT_LE(relative_error(got.states, wanted.states), kind.state_tolerance);
      EXPECT_LE(relative_error(got.energy, wanted.energy), kind.state_tolerance);
      EXPECT_LE(relative_error(got.martingale, wanted.martingale), kind.state_tolerance);
      EXPECT_EQ(got.status, wanted.status);
      const GradientValues g = plan.adjoint(parameters, call, cotangents);
      const GradientValues w = exact.adjoint(parameters, call, cotangents);
      EXPECT_TRUE(are_close(g, w, kind.gradient_tolerance));
    }
  }
}

/// Each observation's gradient by its own context, from one call or from its own.
TEST_P(ObservationSize, LeavesTheContextGradientOfAnObservationToItsPaths) {
  const double rounding = GetParam().double_precision ? 1e-13 : 2e-6;
  const ModelCase& row = model_case("context_of_three");
  const std::vector<double> parameters = row.inputs(1).parameters;
  AnyPlan plan(GetParam(), row.model);
  for (const Size size : {Size{1, 13}, Size{7, 21}, Size{20, 17}}) {
    const Call call = call_of(row.model, size, false);
    const PathValues cotangents = random_cotangents(row.model, call.paths, 15);
    const GradientValues whole = plan.adjoint(parameters, call, cotangents);
    for (std::uint64_t r = 0; r < rows; ++r) {
      const Call one = observations_of(call, r, r + 1);
      const std::uint64_t first = r * size.per;
      const GradientValues alone =
          plan.adjoint(parameters, one, part(cotangents, call.paths, first, first + one.paths));
      EXPECT_LE(relative_error(part(whole.context, rows, r, r + 1), alone.context), rounding)
          << size.per << ", observation " << r;
      EXPECT_EQ(part(whole.x0, call.paths, first, first + one.paths), alone.x0);
    }
  }
}

}  // namespace
}  // namespace ito::test
