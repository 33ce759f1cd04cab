// What a Plan refuses in rows of grids, by the row and the field it names.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <ito/error.hpp>
#include <ito/grid.hpp>

#include "engine/any_plan.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

class GridRequest : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, GridRequest, ::testing::ValuesIn(engines()), engine_name);

/// Four steps, two save steps, two context steps.
Model model_of_rows() {
  return {.state = 2,
          .grid = uniform_grid(1.0, 4),
          .save = {2, 4},
          .control = FeedbackControl{Mlp{}, 1, {0, 2}}};
}

/// Two rows for it: one as long as the model's grid, one of two steps.
DoubleGridRows rows_of_two() {
  const std::vector<ObservationGrid> grids{{{0, 0.25, 0.5, 0.75, 1}, {2, 4}, {0, 0, 1, 1}},
                                           {{0, 0.5, 1.5}, {1}, {0, 1}}};
  return grid_rows<double>(model_of_rows(), grids);
}

struct BadRows {
  std::string message;  ///< how it begins
  std::function<void(DoubleGridRows&)> spoil;
};

const std::vector<BadRows>& bad_rows() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static const std::vector<BadRows> all{
      {"request.grid: got 7 steps; accepted: a positive multiple of the model's 4, or none without "
       "save",
       [](DoubleGridRows& rows) { rows.steps.pop_back(); }},
      {"request.grid: got 0 steps", [](DoubleGridRows& rows) { rows.steps.clear(); }},
      {"request.save: got 3 numbers; accepted: 4 (grids × save steps)",
       [](DoubleGridRows& rows) { rows.save.pop_back(); }},
      {"request.save: got 0 numbers", [](DoubleGridRows& rows) { rows.save.clear(); }},
      {"request.grid: got 1 rows; accepted: 2: one for each observation of the context",
       [](DoubleGridRows& rows) { rows.steps.resize(4), rows.save.resize(2); }},
      {"request.grid[1], step 2.time: got nan; accepted: a finite number",
       [](DoubleGridRows& rows) { rows.steps[6].time = nan; }},
      {"request.grid[0], step 1.step: got -0.5; accepted: a finite number of at least 0",
       [](DoubleGridRows& rows) { rows.steps[1].step = -0.5; }},
      {"request.grid[0], step 3.step: got inf",
       [](DoubleGridRows& rows) { rows.steps[3].step = infinity; }},
      {"request.grid[0], step 0.step: got nan",
       [](DoubleGridRows& rows) { rows.steps[0].step = nan; }},
      {"request.grid[1], step 3.step: got 0.25; accepted: 0, as the step before: a grid that has "
       "ended stays so",
       [](DoubleGridRows& rows) { rows.steps[7].step = 0.25, rows.steps[7].root_step = 0.5; }},
      {"request.grid[0], step 0.root_step: got 0.25; accepted: √step",
       [](DoubleGridRows& rows) { rows.steps[0].root_step = 0.25; }},
      {"request.grid[1], step 2.root_step: got 0.5; accepted: √step",
       [](DoubleGridRows& rows) { rows.steps[6].root_step = 0.5; }},
      {"request.grid[0], step 0.root_step: got -0.5; accepted: √step",
       [](DoubleGridRows& rows) { rows.steps[0].root_step = -0.5; }},
      {"request.grid[0], step 0.root_step: got nan; accepted: √step",
       [](DoubleGridRows& rows) { rows.steps[0].root_step = nan; }},
      {"request.grid[0], step 0.interval: got -1; accepted: from 0 to 1",
       [](DoubleGridRows& rows) { rows.steps[0].interval = -1; }},
      {"request.grid[1], step 3.interval: got 2; accepted: from 1 to 1",
       [](DoubleGridRows& rows) { rows.steps[7].interval = 2; }},
      {"request.grid[0], step 3.interval: got 0; accepted: from 1 to 1",
       [](DoubleGridRows& rows) { rows.steps[3].interval = 0; }},
      {"request.save[0][0]: got -1; accepted: increasing steps up to 4, then 4 as padding",
       [](DoubleGridRows& rows) { rows.save[0] = -1; }},
      {"request.save[0][1]: got 2; accepted: increasing steps up to 4, then 4 as padding",
       [](DoubleGridRows& rows) { rows.save[1] = 2; }},
      {"request.save[0][1]: got 5", [](DoubleGridRows& rows) { rows.save[1] = 5; }},
      {"request.save[1][0]: got 3; accepted: increasing steps up to 2, then 4 as padding",
       [](DoubleGridRows& rows) { rows.save[2] = 3; }},
      {"request.save[1][1]: got 1; accepted: increasing steps up to 2, then 4 as padding",
       [](DoubleGridRows& rows) {
         rows.save = {2, 4, 4, 1};
       }},
  };
  return all;
}

/// What a plan says to a call of six paths by these rows, changed by `spoil`.
template <class Real>
std::string refusal_of_rows(BasicPlan<Real>& plan, const DoubleGridRows& rows,
                            const std::function<void(BasicRequest<Real>&)>& spoil) {
  BasicGridRows<Real> own{{}, rows.save};
  for (const DoubleGridStep& step : rows.steps) {
    own.steps.push_back({static_cast<Real>(step.time), static_cast<Real>(step.step),
                         static_cast<Real>(step.root_step), step.interval});
  }
  const std::vector<Real> parameters(plan.parameter_count(), Real(0.1)), context(4, Real(1));
  BasicRequest<Real> request{.paths = 6,
                             .context = context,
                             .paths_per_observation = 3,
                             .grid = own.steps,
                             .save = own.save};
  if (spoil) spoil(request);
  return refusal([&] { plan.simulate(std::span(parameters), request); });
}

template <class Real>
void expect_bad_rows_refused(const EngineKind& kind) {
  auto plan = make_plan<Real>(kind, model_of_rows());
  for (const BadRows& bad : bad_rows()) {
    DoubleGridRows rows = rows_of_two();
    bad.spoil(rows);
    const std::string got = refusal_of_rows<Real>(plan, rows, {});
    EXPECT_TRUE(got.starts_with(bad.message)) << "wanted " << bad.message << "\ngot    " << got;
  }
  EXPECT_EQ(refusal_of_rows<Real>(plan, rows_of_two(), [](auto& r) { r.refinement = 1; }),
            "request.refinement: got 1; accepted: 0 with request.grid");
  EXPECT_TRUE(refusal_of_rows<Real>(plan, rows_of_two(), [](auto& r) {
                r.paths_per_observation = 0;
              }).starts_with("request.paths_per_observation: got 0; accepted: a number that spr"));
}

TEST_P(GridRequest, WithBadRowsIsRefusedByRowAndField) {
  if (GetParam().double_precision) {
    expect_bad_rows_refused<double>(GetParam());
  } else {
    expect_bad_rows_refused<float>(GetParam());
  }
}

/// Without a context, rows of grids alone say how many observations there are.
TEST_P(GridRequest, WithoutContextSpreadsItsPathsOverTheRows) {
  Model model = model_of_rows();
  model.control = NoControl{};
  const auto check = [&]<class Real>(Real) {
    auto plan = make_plan<Real>(GetParam(), model);
    DoubleGridRows rows = rows_of_two();
    const auto message = [&](std::uint64_t per) {
      return refusal_of_rows<Real>(plan, rows, [per](auto& r) {
        r.context = {};
        r.paths_per_observation = per;
      });
    };
    EXPECT_TRUE(
        message(3).starts_with("request.grid[0], step 2.interval: got 1; accepted: from 0"));
    for (DoubleGridStep& step : rows.steps) step.interval = 0;
    for (const std::uint64_t per : {0, 2, 6})
      EXPECT_TRUE(message(per).starts_with("request.paths_per_observation: got ")) << per;
  };
  GetParam().double_precision ? check(double{}) : check(float{});
}

/// The rows that a recording was made with are those of its adjoint.
TEST(GridRequestRecording, IsRefusedWhereItsRowsHaveChangedSince) {
  Model model = model_of_rows();
  for (const Device device : {Device::reference(), Device::cpu()}) {
    Plan plan(model, device);
    const std::vector<float> parameters(plan.parameter_count(), 0.1F), context(4, 1.0F);
    const std::vector<ObservationGrid> grids{{{0, 0.25, 0.5}, {2}, {0, 1}}, {{0, 1}, {1}, {0}}};
    GridRows rows = grid_rows<float>(model, grids);
    const ito::Request request{.paths = 6,
                               .context = context,
                               .paths_per_observation = 3,
                               .grid = rows.steps,
                               .save = rows.save};
    std::vector<std::byte> workspace(plan.workspace_bytes(6, 2));
    std::vector<float> gradient(plan.parameter_count());
    const Recording recording = plan.record(parameters, request, {}, workspace);
    const auto adjoint = [&] {
      return refusal(
          [&] { plan.adjoint(parameters, recording, {}, {.parameters = gradient}, {}); });
    };
    EXPECT_EQ(adjoint(), "accepted");
    rows.steps[0].time = 0.1F;
    EXPECT_TRUE(adjoint().starts_with("recording.grid: got other numbers"));
    rows.steps[0].time = 0;
    EXPECT_EQ(adjoint(), "accepted");
    rows.save[0] = 1;
    EXPECT_TRUE(adjoint().starts_with("recording.grid: got other numbers"));
  }
}

}  // namespace
}  // namespace ito::test
