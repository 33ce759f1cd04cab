// What a Plan refuses, by the field it names.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include <ito/error.hpp>

#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

class Request : public ::testing::TestWithParam<EngineKind> {
 protected:
  static std::string message(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Request, ::testing::ValuesIn(engines()), engine_name);

struct BadCall {
  std::string field;  ///< how the message begins
  std::string model;
  std::function<void(Call&)> spoil;
};

/// Calls of 100 paths of 3 states; "context_of_three" spreads them over observations of 48.
const std::vector<BadCall>& bad_calls() {
  static const std::vector<BadCall> all{
      {"request.paths: got 0", "one_step", [](Call& c) { c.paths = 0, c.x0.clear(); }},
      {"request.paths: got 8589934593; accepted: 1 to 8589934592", "one_step",
       [](Call& c) { c.paths = (std::uint64_t{1} << 33) + 1, c.x0.clear(); }},
      {"request.paths: got 18446744073709551615", "one_step",
       [](Call& c) { c.paths = ~std::uint64_t{0}, c.x0.clear(); }},
      {"request.first_path: got 8589934592 with 100 paths", "one_step",
       [](Call& c) { c.first_path = std::uint64_t{1} << 33; }},
      {"request.first_path: got 8589934493 with 100 paths; accepted: up to 8589934492", "one_step",
       [](Call& c) { c.first_path = (std::uint64_t{1} << 33) - 99; }},
      {"request.first_path: got 18446744073709551615", "one_step",
       [](Call& c) { c.first_path = ~std::uint64_t{0}; }},
      {"request.x0: got 2", "one_step",
       [](Call& c) {
         c.x0 = {1.0, 2.0};
       }},
      {"request.x0: got 299", "one_step", [](Call& c) { c.x0.resize(299); }},
      {"request.x0: got 303", "one_step", [](Call& c) { c.x0.resize(303); }},
      {"request.context: got 0", "context_of_one", [](Call& c) { c.context.clear(); }},
      {"request.context: got 6", "context_of_one", [](Call& c) { c.context.push_back(1.0); }},
      {"request.context: got 1 numbers; accepted: none", "one_step",
       [](Call& c) { c.context = {1.0}; }},
      {"request.paths_per_observation: got 0", "context_of_three",
       [](Call& c) { c.paths_per_observation = 0; }},
      // Of 100 paths these make 2, 4 and 2 observations.
      {"request.paths_per_observation: got 50", "context_of_three",
       [](Call& c) { c.paths_per_observation = 50; }},
      {"request.paths_per_observation: got 32", "context_of_three",
       [](Call& c) { c.paths_per_observation = 32; }},
      {"request.paths_per_observation: got 64", "context_of_three",
       [](Call& c) { c.paths_per_observation = 64; }},
      {"request.paths_per_observation: got 18446744073709551600", "context_of_three",
       [](Call& c) { c.paths_per_observation = ~std::uint64_t{15}; }},
      {"request.paths_per_observation: got 16", "context_of_one",
       [](Call& c) { c.paths_per_observation = 16; }},
  };
  return all;
}

TEST_P(Request, OfTheWrongSizeIsRefusedByName) {
  for (const BadCall& bad : bad_calls()) {
    const ModelCase& row = model_case(bad.model);
    Call call = row.call(100);
    ASSERT_EQ(call.observations(), row.observations);
    bad.spoil(call);
    const auto parameters = row.inputs(100).parameters;
    AnyPlan plan(GetParam(), row.model);
    const auto got = message([&] { plan.simulate(parameters, call); });
    EXPECT_TRUE(got.starts_with(bad.field)) << "wanted " << bad.field << "\ngot    " << got;
    EXPECT_NE(got.find("accepted: "), std::string::npos) << got;
  }
}

TEST_P(Request, WithTooFewParametersIsRefused) {
  const ModelCase& row = model_case("one_step");
  auto parameters = row.inputs(1).parameters;
  AnyPlan plan(GetParam(), row.model);
  ASSERT_EQ(parameters.size(), plan.parameter_count());
  EXPECT_NO_THROW(plan.simulate(parameters, row.call(1)));
  parameters.pop_back();
  EXPECT_TRUE(message([&] {
                plan.simulate(parameters, row.call(1));
              }).starts_with("parameters: got " + std::to_string(parameters.size())));
}

/// A latent model's encoder and decoder follow the model's own parameters.
TEST_P(Request, WithMoreParametersReadsTheModelsOwn) {
  const ModelCase& row = model_case("one_step");
  auto parameters = row.inputs(1).parameters;
  AnyPlan plan(GetParam(), row.model);
  const PathValues wanted = plan.simulate(parameters, row.call(20));
  parameters.resize(parameters.size() + 100, 1e30);
  EXPECT_EQ(plan.simulate(parameters, row.call(20)), wanted);
  EXPECT_EQ(
      plan.adjoint(parameters, row.call(20), random_cotangents(row.model, 20, 1)).parameters.size(),
      plan.parameter_count());
}

TEST_P(Request, WithOneInitialStateStartsEveryPathThere) {
  const ModelCase& row = model_case("one_step");
  const auto parameters = row.inputs(1).parameters;
  AnyPlan plan(GetParam(), row.model);
  Call call = row.call(20);
  call.x0 = {0.25, -1.5, 3.0};
  const PathValues wanted = plan.simulate(parameters, call);
  std::vector<double> each;
  for (int i = 0; i < 20; ++i) each.insert(each.end(), call.x0.begin(), call.x0.end());
  call.x0 = each;
  EXPECT_EQ(plan.simulate(parameters, call), wanted);
}

struct BadSpan {
  std::string field;
  std::function<void(PathValues&)> spoil;
};

TEST_P(Request, WithCotangentsOfTheWrongSizeIsRefusedByName) {
  const ModelCase& row = model_case("mlp_diagonal_feedback");
  AnyPlan plan(GetParam(), row.model);
  const std::vector<BadSpan> all{
      {"cotangents.states", [](PathValues& c) { c.states.pop_back(); }},
      {"cotangents.energy", [](PathValues& c) { c.energy.push_back(0); }},
      {"cotangents.martingale", [](PathValues& c) { c.martingale.pop_back(); }},
      {"cotangents.interval_energy", [](PathValues& c) { c.interval_energy.pop_back(); }},
      {"cotangents.interval_martingale", [](PathValues& c) { c.interval_martingale.push_back(0); }},
  };
  for (const BadSpan& bad : all) {
    PathValues cotangents = random_cotangents(row.model, 20, 1);
    bad.spoil(cotangents);
    const auto got =
        message([&] { plan.adjoint(row.inputs(20).parameters, row.call(20), cotangents); });
    EXPECT_TRUE(got.starts_with(bad.field + ": got ")) << got;
  }
}

/// Caller-owned spans, float32.
TEST(RequestSpans, OfTheWrongSizeAreRefusedByName) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 4);
  model.save = {2, 4};
  model.drift = Mlp{};
  for (const Device device : {Device::reference(), Device::cpu()}) {
    Plan plan(model, device);
    const std::vector<float> parameters(plan.parameter_count());
    std::vector<std::byte> workspace(plan.workspace_bytes(10));
    std::vector<float> numbers(41);
    std::vector<std::uint8_t> bytes(41);
    const std::span<float> one_more(numbers.data(), 41);
    const ito::Request request{.paths = 10};
    const auto message = [&](const Outputs& outputs, std::span<std::byte> memory) {
      try {
        plan.simulate(parameters, request, outputs, memory);
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string("accepted");
    };
    EXPECT_EQ(message({}, workspace), "accepted");
    EXPECT_EQ(message({.states = one_more.first(40)}, workspace), "accepted");
    EXPECT_TRUE(message({.states = one_more}, workspace).starts_with("outputs.states: got 41"));
    EXPECT_TRUE(message({.energy = one_more}, workspace).starts_with("outputs.energy: got 41"));
    EXPECT_TRUE(message({.martingale = one_more}, workspace).starts_with("outputs.martingale"));
    EXPECT_TRUE(
        message({.interval_energy = one_more}, workspace).starts_with("outputs.interval_energy"));
    EXPECT_TRUE(message({.interval_martingale = one_more}, workspace)
                    .starts_with("outputs.interval_martingale"));
    EXPECT_TRUE(message({.status = bytes}, workspace).starts_with("outputs.status: got 41"));
    const std::size_t least = plan.simulate_workspace_bytes(10);
    EXPECT_TRUE(message({}, std::span(workspace).first(least - 1))
                    .starts_with("workspace: got " + std::to_string(least - 1) +
                                 " bytes; accepted: at least " + std::to_string(least)));
    const auto adjoint_message = [&](const GradientOutputs& gradient) {
      try {
        plan.adjoint(parameters, plan.record(parameters, request, {}, workspace), {}, gradient);
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string("accepted");
    };
    EXPECT_EQ(adjoint_message({}), "accepted");
    const std::size_t most = workspace.size();
    workspace.resize(least);  // has no room for a gradient
    EXPECT_TRUE(adjoint_message({}).starts_with("workspace: got " + std::to_string(least)));
    workspace.resize(most);
    EXPECT_TRUE(adjoint_message({.parameters = one_more}).starts_with("gradient.parameters"));
    EXPECT_TRUE(adjoint_message({.x0 = one_more}).starts_with("gradient.x0: got 41"));
    EXPECT_TRUE(adjoint_message({.context = one_more}).starts_with("gradient.context"));
  }
}

TEST(Paths, HoldSumsByIntervalOnlyWhereTheyWereAskedFor) {
  const Model& model = model_case("mlp_diagonal_feedback").model;
  const Parameters parameters = initialize(model, 1);
  for (const Device device : {Device::cpu(), Device::reference()}) {
    Plan plan(model, device);
    const Recording all = plan.record(parameters, {.paths = 5}, {.intervals = true});
    const Recording few = plan.record(parameters, {.paths = 5});
    const Paths &with = all.paths(), &without = few.paths();
    EXPECT_EQ(with.interval_energy().size(), 5 * model.save.size());
    EXPECT_EQ(with.interval_martingale().size(), 5 * model.save.size());
    EXPECT_EQ(without.states(), with.states());
    EXPECT_EQ(without.energy(), with.energy());
    EXPECT_EQ(refusal([&] { without.interval_energy(); }),
              "paths.interval_energy: got a simulation that did not ask for it; accepted: one with "
              "{.intervals = true}");
    EXPECT_TRUE(refusal([&] {
                  without.interval_martingale();
                }).starts_with("paths.interval_martingale: got"));
    const std::vector<float> along(plan.parameter_count(), 1.0F);
    const Directions directions{.count = 1, .parameters = along};
    const Tangents more = plan.tangents(parameters, {.paths = 5}, directions, {.intervals = true});
    const Tangents less = plan.tangents(parameters, {.paths = 5}, directions);
    EXPECT_EQ(more.interval_energy.size(), 5 * model.save.size());
    EXPECT_TRUE(less.interval_energy.empty());
    EXPECT_TRUE(less.interval_martingale.empty());
    EXPECT_EQ(less.states, more.states);
    EXPECT_EQ(less.energy, more.energy);
    // Their derivatives can be handed back all the same.
    const std::vector<float> cotangents(with.interval_energy().size(), 1.0F);
    const Cotangents by_interval{.interval_energy = cotangents};
    EXPECT_EQ(plan.adjoint(parameters, few, by_interval).parameters,
              plan.adjoint(parameters, all, by_interval).parameters);
  }
}

TEST(Precisions, AreThoseOfThePlansNumbersAndItsDevice) {
  const Model& model = model_case("one_step").model;
  const EngineKind& cuda = engine("cuda");
  EXPECT_EQ(refusal([&] { Plan(model, Device::cpu(), {.precision = Precision::fast}); }),
            "precision: got fast on device cpu; accepted: fp32 there, or device cuda");
  EXPECT_EQ(refusal([&] { Plan(model, Device::reference(), {.precision = Precision::fast}); }),
            "precision: got fast on device reference; accepted: fp32 there, or device cuda");
  const std::string in_a_plan =
      "precision: got fp64 in a Plan; accepted: fp32 or fast there, or a DoublePlan";
  EXPECT_EQ(refusal([&] { Plan(model, Device::cpu(), {.precision = Precision::fp64}); }),
            in_a_plan);
  EXPECT_EQ(refusal([&] { AnyPlan(cuda, model, {.precision = Precision::fp64}); }), in_a_plan);
  for (const EngineKind& kind : {engine("reference64"), engine("cuda64")}) {
    for (const Precision precision : {Precision::fp32, Precision::fp64}) {
      EXPECT_EQ(refusal([&] { AnyPlan(kind, model, {.precision = precision}); }), "accepted");
    }
    EXPECT_EQ(refusal([&] { AnyPlan(kind, model, {.precision = Precision::fast}); }),
              "precision: got fast in a DoublePlan; accepted: fp64 or the default there, or a "
              "Plan");
  }
}

TEST(DoublePrecision, IsForTheReferenceAndCuda) {
  try {
    const DoublePlan plan(model_case("one_step").model, Device::cpu());
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "device: got cpu; accepted: reference or cuda, which compute in double precision");
  }
}

}  // namespace
}  // namespace ito::test
