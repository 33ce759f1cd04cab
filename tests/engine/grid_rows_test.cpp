// Grids of the observations' own, on every engine. The answer known beforehand is that of a model
// whose own grid is the observation's: the same states and sums, bit for bit, and the same
// gradients. What pads a grid changes nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ito/grid.hpp>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/least_limit.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

constexpr int steps = 9, saves = 4, intervals = 4, contexts = 2, state = 3;

/// The whole of the model's sizes, less of each, the start alone or the end not saved, one step,
/// times below zero.
std::vector<ObservationGrid> grids() {
  return {{{0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.8, 1.1, 1.2, 1.5},
           {0, 3, 5, 9},
           {0, 0, 0, 1, 1, 2, 2, 3, 3}},
          {{0.5, 0.7, 0.9, 1.0, 1.4, 1.45}, {2, 5}, {1, 1, 2, 2, 3}},
          {{0, 0.4}, {0, 1}, {2}},
          {{-2, -1.5, -1.25, -0.5, 0.5}, {1, 3}, {0, 1, 1, 1}},
          {{3, 3.125, 3.5, 3.75}, {0}, {}},
          {{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}, {1, 2, 4, 6}, {0, 1, 2, 2, 2, 2, 3}}};
}

Model model_of(const std::string& kind) {
  const auto net = [](std::vector<int> hidden, Activation output = Activation::identity) {
    return Mlp{.hidden = std::move(hidden), .activation = Activation::tanh, .output = output};
  };
  std::vector<int> context_steps;
  for (int i = 0; i < intervals; ++i) context_steps.push_back(i);
  Model model{.state = state,
              .grid = uniform_grid(1.0, steps),
              .save = {1, 2, 3, steps},
              .drift = net({5}),
              .diffusion = DiagonalDiffusion{net({4}, Activation::softplus), 0.8, 0.1},
              .control = FeedbackControl{net({6}), contexts, context_steps}};
  if (kind == "feedback") return model;
  if (kind == "drift_control") {
    model.diffusion = ConstantDiffusion{{0.5, 0.7, 0.9}};
    model.control = DriftControl{net({6}), contexts, context_steps};
  } else if (kind == "general_without_control") {
    model.noise = 2;
    model.diffusion = GeneralDiffusion{net({4})};
    model.control = NoControl{};
  } else if (kind == "mixing") {
    model.noise = 2;
    model.diffusion = ConstantDiffusion{{0.5, 0.1, 0.2, 0.7, 0.3, 0.4}};
  } else if (kind == "wide") {
    model.drift = net({40, 40});
    model.control = OpenLoopControl{net({17}), contexts, context_steps};
  } else if (kind == "affine") {  // no hidden layer: time and context at the output
    model.drift = net({});
    model.control = FeedbackControl{net({}), contexts, context_steps};
  } else if (kind == "inputs") {  // one of the two, which the drift takes too
    model.inputs = 1;
    model.control = FeedbackControl{net({6}), contexts - model.inputs};
    model.input_steps = context_steps;
  } else {
    model.solver = parse_solver(kind);
    if (model.solver == Solver::reversible_heun) model.calculus = Calculus::stratonovich;
  }
  return model;
}

bool takes_context(const Model& model) {
  return std::visit(
      [](const auto& control) {
        return requires { control.context; };
      },
      model.control);
}

/// The model of one observation alone, with its grid as its own; saves go on to its end.
Model alone(Model model, const ObservationGrid& grid) {
  model.grid = grid.times;
  model.save = grid.save;
  if (model.save.back() != grid.steps()) model.save.push_back(grid.steps());
  std::vector<int> changes{0};
  for (int k = 1; k < static_cast<int>(grid.intervals.size()); ++k) {
    const auto at = grid.intervals.begin() + k;
    if (*at != *(at - 1)) changes.push_back(k);
  }
  if (model.inputs > 0) model.input_steps = changes;
  std::visit(
      [&](auto& control) {
        if constexpr (requires { control.context_steps; }) control.context_steps = changes;
      },
      model.control);
  return model;
}

/// The rows of context that rule somewhere.
std::vector<int> ruling(const ObservationGrid& grid) {
  if (grid.intervals.empty()) return {0};
  std::vector<int> rows = grid.intervals;
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

struct Numbers {
  std::vector<double> parameters;
  Call call;
};

/// All observations of `per` paths.
Numbers numbers_of(const Model& model, std::uint64_t per, std::uint64_t first_path, bool x0) {
  const std::size_t rows = grids().size();
  Numbers out{random_values(initialize(model, 1).size(), 31), {}};
  out.call = {.paths = rows * per,
              .seed = 5,
              .first_path = first_path,
              .x0 = x0 ? random_values(rows * per * state, 32) : std::vector<double>{},
              .context = random_values(takes_context(model) ? rows * intervals * contexts : 0, 33),
              .paths_per_observation = per,
              .grids = grids()};
  if (out.call.context.empty())
    for (ObservationGrid& grid : out.call.grids) grid.intervals.clear();
  return out;
}

template <class T>
std::vector<T> slice(const std::vector<T>& values, std::size_t begin, std::size_t count) {
  const auto from = values.begin() + static_cast<std::ptrdiff_t>(begin);
  return {from, from + static_cast<std::ptrdiff_t>(count)};
}

/// Observation r of a call, for `alone(model, grid)`.
Call alone(const Call& all, std::size_t r) {
  const std::uint64_t per = all.paths_per_observation;
  Call one = all;
  one.paths = per;
  one.first_path += r * per;
  one.paths_per_observation = 0;
  one.grids.clear();
  if (!all.x0.empty()) one.x0 = slice(all.x0, r * per * state, per * state);
  if (all.context.empty()) return one;
  one.context.clear();
  for (const int i : ruling(all.grids[r])) {
    const auto row =
        slice(all.context, (r * intervals + static_cast<std::size_t>(i)) * contexts, contexts);
    one.context.insert(one.context.end(), row.begin(), row.end());
  }
  return one;
}

/// What an observation's paths have at the model's save steps, from those of the model alone: each
/// save step that is padding repeats the end.
std::vector<double> padded(const std::vector<double>& own, std::uint64_t per, std::size_t own_saves,
                           std::size_t given, std::size_t each) {
  std::vector<double> out;
  for (std::size_t path = 0; path < per; ++path) {
    for (std::size_t s = 0; s < saves; ++s) {
      const std::size_t from = (path * own_saves + (s < given ? s : own_saves - 1)) * each;
      out.insert(out.end(), own.begin() + static_cast<std::ptrdiff_t>(from),
                 own.begin() + static_cast<std::ptrdiff_t>(from + each));
    }
  }
  return out;
}

/// The cotangents of the model alone, given those of the call: of padding they are the end's.
PathValues alone(const PathValues& all, std::size_t r, std::uint64_t per,
                 const ObservationGrid& grid, std::size_t own_saves) {
  PathValues one;
  one.energy = slice(all.energy, r * per, per);
  one.martingale = slice(all.martingale, r * per, per);
  one.states.resize(per * own_saves * state);
  one.interval_energy.resize(per * own_saves);
  one.interval_martingale.resize(per * own_saves);
  for (std::size_t path = 0; path < per; ++path) {
    for (std::size_t s = 0; s < saves; ++s) {
      const std::size_t to = path * own_saves + (s < grid.save.size() ? s : own_saves - 1);
      const std::size_t from = (r * per + path) * saves + s;
      for (std::size_t i = 0; i < state; ++i)
        one.states[to * state + i] += all.states[from * state + i];
      // The first save step after an interval has its sums; padding after padding has none.
      if (s > grid.save.size() || (s == grid.save.size() && own_saves == grid.save.size()))
        continue;
      one.interval_energy[to] = all.interval_energy[from];
      one.interval_martingale[to] = all.interval_martingale[from];
    }
  }
  return one;
}

struct Case {
  EngineKind kind;
  std::string model;
  /// Of an emulated device: GpuProperties::unit_tiles; left as they are where it chooses.
  std::optional<int> unit_tiles{};

  std::string name() const {
    std::string text = kind.name + "_" + model;
    if (unit_tiles) text += "_" + std::to_string(*unit_tiles);
    std::ranges::replace(text, '-', '_');
    return text;
  }
};

/// With each the models that its kernels tell apart. With unit_tiles 0 warps take whole nets, and
/// products of four together where layers are wide; else they share units, of that many tiles.
std::vector<Case> cuda_cases() {
  const EngineKind &fp32 = cuda_engines()[0], &fast = cuda_engines()[1], &fp64 = cuda_engines()[2];
  const std::vector<EngineKind>& layered = layered_engines();
  EngineKind per_path = fp32;
  per_path.name += "_per_path";
  per_path.kernels = CudaKernels::per_path;
  return {{fp32, "feedback", 0},    {fp32, "drift_control", 0},
          {fp32, "mixing", 0},      {fp32, "general_without_control", 2},
          {fp32, "wide", 0},        {fp32, "wide", 2},
          {fp32, "affine", 0},      {fast, "wide", 0},
          {fp64, "drift_control"},  {fp64, "general_without_control"},
          {layered[0], "feedback"}, {layered[2], "mixing"},
          {per_path, "feedback"},   {per_path, "heun"},
          {fp32, "inputs"}};
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const EngineKind& kind : host_engines()) {
    for (const char* model : {"feedback", "drift_control", "general_without_control", "mixing",
                              "wide", "affine", "milstein", "heun", "reversible-heun", "inputs"})
      all.push_back({kind, model});
  }
  const std::vector<Case> cuda = cuda_cases();
  all.insert(all.end(), cuda.begin(), cuda.end());
  return all;
}

class GridRows : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!kind.emulated) return;
    AnyPlan(kind, model);  // the first places the usual device
    cuda::EmulatedGpu::Options device;
    device.properties.unit_tiles = GetParam().unit_tiles;
    if (GetParam().unit_tiles) cuda::replace_gpu(std::make_shared<cuda::EmulatedGpu>(device));
  }
  ~GridRows() override {
    if (kind.emulated && GetParam().unit_tiles)
      cuda::replace_gpu(std::make_shared<cuda::EmulatedGpu>());
  }

  const EngineKind& kind = GetParam().kind;
  Model model = model_of(GetParam().model);
};
INSTANTIATE_TEST_SUITE_P(Engines, GridRows, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name(); });

TEST_P(GridRows, GiveThePathsOfAModelWithThatGrid) {
  for (const std::uint64_t per : {1, 5, 32}) {
    const auto [parameters, call] = numbers_of(model, per, 13, true);
    const PathValues all = AnyPlan(kind, model).simulate(parameters, call);
    for (std::size_t r = 0; r < call.grids.size(); ++r) {
      SCOPED_TRACE(std::to_string(per) + " paths, observation " + std::to_string(r));
      const ObservationGrid& grid = call.grids[r];
      const Model own = alone(model, grid);
      const PathValues one = AnyPlan(kind, own).simulate(parameters, alone(call, r));
      const auto states = slice(all.states, r * per * saves * state, per * saves * state);
      const auto wanted = padded(one.states, per, own.save.size(), grid.save.size(), state);
      if (kind.name == "reference") {  // doubles, whose times come rounded to float32
        EXPECT_LE(relative_error(states, wanted), 1e-6);
        continue;
      }
      EXPECT_EQ(states, wanted);
      EXPECT_EQ(slice(all.energy, r * per, per), one.energy);
      EXPECT_EQ(slice(all.martingale, r * per, per), one.martingale);
      EXPECT_EQ(slice(all.status, r * per, per), one.status);
      for (std::size_t path = 0; path < per; ++path) {
        for (std::size_t s = 0; s < saves; ++s) {
          const bool has = s < own.save.size();
          const std::size_t at = (r * per + path) * saves + s;
          const std::size_t from = path * own.save.size() + s;
          EXPECT_EQ(all.interval_energy[at], has ? one.interval_energy[from] : 0);
          EXPECT_EQ(all.interval_martingale[at], has ? one.interval_martingale[from] : 0);
        }
      }
    }
  }
}

/// What the gradient of a call is by models whose own grids are the observations': those of
/// parameters add up; those of x_0 and context are each observation's.
GradientValues gradient_alone(const EngineKind& kind, const Model& model, PlanOptions options,
                              const Numbers& numbers, const PathValues& cotangents) {
  const auto& [parameters, call] = numbers;
  const std::uint64_t per = call.paths_per_observation;
  GradientValues sum;
  sum.parameters.resize(parameters.size());
  sum.context.resize(call.context.size());
  for (std::size_t r = 0; r < call.grids.size(); ++r) {
    const ObservationGrid& grid = call.grids[r];
    const Model own = alone(model, grid);
    const GradientValues one =
        AnyPlan(kind, own, options)
            .adjoint(parameters, alone(call, r), alone(cotangents, r, per, grid, own.save.size()));
    for (std::size_t p = 0; p < one.parameters.size(); ++p) sum.parameters[p] += one.parameters[p];
    sum.x0.insert(sum.x0.end(), one.x0.begin(), one.x0.end());
    const std::vector<int> rows = ruling(grid);
    for (std::size_t i = 0; i < one.context.size(); ++i) {
      const std::size_t row = r * intervals + static_cast<std::size_t>(rows[i / contexts]);
      sum.context[row * contexts + i % contexts] = one.context[i];
    }
  }
  return sum;
}

TEST_P(GridRows, GiveTheGradientsOfModelsWithThoseGrids) {
  for (const std::uint64_t per : {3, 16}) {
    for (const bool x0 : {true, false}) {
      const Numbers numbers = numbers_of(model, per, 16, x0);
      const PathValues cotangents = random_cotangents(model, numbers.call.paths, 34);
      const GradientValues got =
          AnyPlan(kind, model).adjoint(numbers.parameters, numbers.call, cotangents);
      const GradientValues wanted = gradient_alone(kind, model, {}, numbers, cotangents);
      const double times = kind.name == "reference" ? 1e-6 : 0;
      EXPECT_TRUE(are_close(got, wanted, kind.gradient_tolerance + times)) << per << " paths";
      // A context that rules nowhere has no gradient at all.
      for (std::size_t i = 0; i < wanted.context.size(); ++i) {
        if (wanted.context[i] == 0) {
          EXPECT_EQ(got.context[i], 0) << i;
        }
      }
    }
  }
}

/// The stochastic adjoint and the reversible one start at each path's own end.
TEST_P(GridRows, GiveTheGradientsOfEveryMethod) {
  if (kind.emulated) return;
  std::vector<GradientMethod> methods{GradientMethod::stochastic_adjoint};
  if (GetParam().model != "wide") methods.push_back(GradientMethod::pathwise);
  if (model.solver == Solver::reversible_heun) methods.push_back(GradientMethod::reversible);
  for (const GradientMethod method : methods) {
    SCOPED_TRACE(std::string(name(method)));
    const Numbers numbers = numbers_of(model, 5, 11, true);
    const PathValues cotangents = random_cotangents(model, numbers.call.paths, 41);
    const PlanOptions options{.gradient = method};
    const GradientValues got =
        AnyPlan(kind, model, options).adjoint(numbers.parameters, numbers.call, cotangents);
    const double times = kind.name == "reference" ? 1e-6 : 0;
    EXPECT_TRUE(are_close(got, gradient_alone(kind, model, options, numbers, cotangents),
                          kind.gradient_tolerance + times));
    if (method == GradientMethod::stochastic_adjoint) continue;
    // The others are the chain's own gradient, as near as ReversibleIsTheAdjointToRounding asks.
    const GradientValues adjoint =
        AnyPlan(kind, model).adjoint(numbers.parameters, numbers.call, cotangents);
    EXPECT_TRUE(are_close(got, adjoint, kind.double_precision ? 1e-11 : 2e-4));
  }
}

/// Checkpoints, and steps computed again between them; memory of the caller's.
TEST_P(GridRows, GiveTheSameGradientFromCheckpoints) {
  const auto [parameters, call] = numbers_of(model, 4, 0, true);
  const PathValues cotangents = random_cotangents(model, call.paths, 35);
  const GradientValues wanted =
      AnyPlan(kind, model, {}, 1).adjoint_in_workspace(parameters, call, cotangents);
  EXPECT_EQ(AnyPlan(kind, model, {}, 2).adjoint(parameters, call, cotangents), wanted);
  const std::size_t least = least_limit(kind, model, call, 1);
  for (const std::size_t limit : {least, least + least / 3}) {
    if (kind.emulated && limit != least) continue;
    AnyPlan plan(kind, model, {.workspace_limit = limit}, 1);
    EXPECT_EQ(plan.adjoint(parameters, call, cotangents), wanted) << limit;
  }
}

/// Derivatives along directions: of all outputs, padding included, by differences in double.
TEST_P(GridRows, HaveTangentsThatAreTheTransposesOfTheGradient) {
  const auto [parameters, call] = numbers_of(model, 2, 3, true);
  DirectionValues directions{1, random_values(parameters.size(), 37),
                             random_values(call.x0.size(), 38),
                             random_values(call.context.size(), 39)};
  const PathValues cotangents = random_cotangents(model, call.paths, 40);
  AnyPlan plan(kind, model);
  const PathValues tangents = plan.tangents(parameters, call, directions);
  const GradientValues gradient = plan.adjoint(parameters, call, cotangents);
  double forward = 0, backward = 0, scale = 0;
  const auto add = [&scale](const std::vector<double>& a, const std::vector<double>& b,
                            double& sum) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i], scale += std::abs(a[i] * b[i]);
  };
  add(tangents.states, cotangents.states, forward);
  add(tangents.energy, cotangents.energy, forward);
  add(tangents.martingale, cotangents.martingale, forward);
  add(tangents.interval_energy, cotangents.interval_energy, forward);
  add(tangents.interval_martingale, cotangents.interval_martingale, forward);
  add(gradient.parameters, directions.parameters, backward);
  add(gradient.x0, directions.x0, backward);
  add(gradient.context, directions.context, backward);
  EXPECT_NEAR(forward, backward, kind.gradient_tolerance * scale);
}

/// A series alone, among others, and with its grid padded by a larger model.
TEST_P(GridRows, LeaveAPathsBitsAloneWhateverElseIsInTheCall) {
  const std::uint64_t per = 5;
  const auto [parameters, call] = numbers_of(model, per, 7, false);
  AnyPlan plan(kind, model);
  const PathValues all = plan.simulate(parameters, call);
  for (std::size_t r = 0; r < call.grids.size(); ++r) {
    Call one = alone(call, r);
    one.grids = {call.grids[r]};
    if (!call.context.empty())
      one.context = slice(call.context, r * intervals * contexts, intervals * contexts);
    const PathValues got = plan.simulate(parameters, one);
    EXPECT_EQ(got.states, slice(all.states, r * per * saves * state, per * saves * state));
    EXPECT_EQ(got.energy, slice(all.energy, r * per, per));
    EXPECT_EQ(got.martingale, slice(all.martingale, r * per, per));
  }
}

/// An observation of one time alone: its paths are their start.
TEST_P(GridRows, MayHaveNoStepAtAll) {
  auto [parameters, call] = numbers_of(model, 2, 0, true);
  call.grids[1] = {{0.5}, {0}, {}};
  AnyPlan plan(kind, model);
  const PathValues got = plan.simulate(parameters, call);
  for (std::size_t path = 2; path < 4; ++path) {
    for (std::size_t s = 0; s < saves; ++s) {
      EXPECT_EQ(slice(got.states, (path * saves + s) * state, state),
                slice(call.x0, path * state, state));
    }
    EXPECT_EQ(got.energy[path], 0);
    EXPECT_EQ(got.martingale[path], 0);
    EXPECT_EQ(got.status[path], 0);
  }
  const PathValues cotangents = random_cotangents(model, call.paths, 36);
  const GradientValues gradient = plan.adjoint(parameters, call, cotangents);
  for (std::size_t path = 2; path < 4; ++path) {
    for (std::size_t i = 0; i < state; ++i) {
      double sum = 0;
      for (std::size_t s = 0; s < saves; ++s)
        sum += cotangents.states[(path * saves + s) * state + i];
      EXPECT_NEAR(gradient.x0[path * state + i], sum, 1e-6);
    }
  }
}

/// What rules on no step is never read.
TEST_P(GridRows, DoNotReadAContextThatRulesNowhere) {
  if (!takes_context(model)) return;
  auto [parameters, call] = numbers_of(model, 3, 0, true);
  const PathValues cotangents = random_cotangents(model, call.paths, 42);
  AnyPlan plan(kind, model);
  const PathValues states = plan.simulate(parameters, call);
  const GradientValues gradient = plan.adjoint(parameters, call, cotangents);
  for (std::size_t r = 0; r < call.grids.size(); ++r) {
    const std::vector<int> rows = ruling(call.grids[r]);
    for (int i = 0; i < intervals; ++i) {
      if (std::ranges::find(rows, i) != rows.end()) continue;
      const auto row =
          static_cast<std::ptrdiff_t>((r * intervals + static_cast<std::size_t>(i)) * contexts);
      std::fill_n(call.context.begin() + row, contexts, std::nan(""));
    }
  }
  EXPECT_EQ(plan.simulate(parameters, call), states);
  EXPECT_EQ(plan.adjoint(parameters, call, cotangents), gradient);
}

/// Parameters of 1000 make a state grow by a factor of 4e6 in a step. A path of one step ends where
/// the drift is finite no more; the other ends at 1e33 after five.
TEST(GridRowsEnd, IsWhereAPathsNetsAreEvaluatedNoMore) {
  const Model growing{.state = 1,
                      .grid = uniform_grid(5, 5),
                      .save = {5},
                      .drift = Mlp{.hidden = {4}, .activation = Activation::relu}};
  for (const EngineKind& kind : host_engines()) {
    SCOPED_TRACE(kind.name);
    if (kind.double_precision) continue;
    AnyPlan plan(kind, growing);
    const std::vector<double> parameters(plan.parameter_count(), 1000);
    Call call{.paths = 2, .x0 = {1e30, 0}, .paths_per_observation = 1};
    call.grids = {{{0, 1}, {1}, {}}, {{0, 1, 2, 3, 4, 5}, {5}, {}}};
    PathValues cotangents;
    cotangents.states = {1, 1};
    const PathValues both = plan.simulate(parameters, call);
    const GradientValues gradient = plan.adjoint(parameters, call, cotangents);
    cotangents.states = {1};
    for (std::size_t r = 0; r < 2; ++r) {
      Call one{.paths = 1, .first_path = r, .x0 = {call.x0[r]}, .grids = {call.grids[r]}};
      const PathValues alone = plan.simulate(parameters, one);
      EXPECT_EQ(both.status[r], 0);
      EXPECT_EQ(both.states[r], alone.states[0]);
      EXPECT_TRUE(std::isfinite(alone.states[0]));
      EXPECT_EQ(gradient.x0[r], plan.adjoint(parameters, one, cotangents).x0[0]);
    }
    for (const double value : gradient.parameters) EXPECT_TRUE(std::isfinite(value));
  }
}

}  // namespace
}  // namespace ito::test
