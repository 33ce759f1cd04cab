// Cotangents and states of any size. The kernels on tensor cores multiply them in 16 bits, as they
// are times a power of two that they choose (kernels/fused/units.cuh).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

struct SizeCase {
  std::string name;
  Model model;
};

std::vector<SizeCase> models() {
  const Mlp net{.hidden = {6, 5}};
  Model model;
  model.state = 3;
  model.grid = uniform_grid(1.0, 20);
  model.drift = net;
  std::vector<SizeCase> out;
  const auto add = [&](const char* name, Diffusion diffusion, Control control, int noise = 0) {
    model.diffusion = std::move(diffusion);
    model.control = std::move(control);
    model.noise = noise;
    out.push_back({name, validated(model)});
  };
  add("constant, drift", ConstantDiffusion{}, DriftControl{net});
  add("constant mixing, feedback", ConstantDiffusion{}, FeedbackControl{net}, 2);
  add("general, open loop", GeneralDiffusion{net}, OpenLoopControl{net}, 2);
  return out;
}

std::vector<EngineKind> kinds() {
  std::vector<EngineKind> out = cuda_engines();
  for (const EngineKind& kind : layered_engines()) out.push_back(kind);
  for (const EngineKind& kind : host_engines()) {
    if (kind.name == "cpu") out.push_back(kind);
  }
  return out;
}

class Size : public ::testing::TestWithParam<EngineKind> {
 protected:
  void expect_faithful(const SizeCase& row, const Call& call, const PathValues& cotangents) {
    expect_faithful(row.model, random_parameters(row.model, 5), call, cotangents);
  }
  void expect_faithful(const Model& model, const std::vector<double>& parameters, const Call& call,
                       const PathValues& cotangents) {
    AnyPlan reference(engine("reference64"), model), plan(GetParam(), model);
    const GradientValues wanted = reference.adjoint(parameters, call, cotangents);
    const GradientValues got = plan.adjoint(parameters, call, cotangents);
    EXPECT_LE(relative_error(got.parameters, wanted.parameters), GetParam().gradient_tolerance);
    EXPECT_LE(relative_error(got.x0, wanted.x0), GetParam().gradient_tolerance);
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Size, ::testing::ValuesIn(kinds()), engine_name);

PathValues scaled(PathValues cotangents, double factor) {
  for (auto* values : {&cotangents.states, &cotangents.energy, &cotangents.martingale,
                       &cotangents.interval_energy, &cotangents.interval_martingale}) {
    for (double& value : *values) value *= factor;
  }
  return cotangents;
}

TEST_P(Size, OfCotangentsDoesNotMatter) {
  for (const SizeCase& row : models()) {
    const auto cotangents = random_cotangents(row.model, 70, 7);
    for (const double factor : {1e-12, 1e-5, 1e9}) {
      SCOPED_TRACE(fmt::format("{}, cotangents times {}", row.name, factor));
      expect_faithful(row, {.paths = 70, .seed = 3}, scaled(cotangents, factor));
    }
  }
}

/// Where the last state has none, a costate begins with zero, and that of nets that it alone
/// reaches.
TEST_P(Size, OfCotangentsOfTheEnergyAloneDoesNotMatter) {
  for (const SizeCase& row : models()) {
    SCOPED_TRACE(row.name);
    expect_faithful(row, {.paths = 70, .seed = 3},
                    scaled(random_cotangents(row.model, 70, 8, LossTerm::energy), 1e-6));
  }
}

TEST_P(Size, OfStatesDoesNotMatter) {
  for (const SizeCase& row : models()) {
    // In fast states have eleven bits, so that nets are not evaluated where large ones are.
    for (const double size : {1e-3, GetParam().name == "cuda_fast" ? 3.0 : 300.0}) {
      SCOPED_TRACE(fmt::format("{}, states of {}", row.name, size));
      Call call{.paths = 70, .seed = 3, .x0 = random_values(3 * 70, 9)};
      for (double& x : call.x0) x *= size;
      expect_faithful(row, call, scaled(random_cotangents(row.model, 70, 10), 1e-6));
    }
  }
}

/// Cotangents that grow from layer to layer beyond 16 bits' range: the step is taken again.
TEST_P(Size, OfCotangentsWithinANetDoesNotMatter) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1e-6, 3);
  model.drift = Mlp{.hidden = {8, 8}, .activation = Activation::relu, .time = false};
  model.diffusion = IdentityDiffusion{};
  model = validated(model);
  auto parameters = random_parameters(model, 5);
  for (double& value : parameters) value *= 300;
  for (const char* bias : {"drift.0.bias", "drift.1.bias"}) {  // activations stay small
    assign(parameters, model, bias, {std::vector<double>(8, 1e-3)});
  }
  const Call call{.paths = 70, .seed = 3, .x0 = std::vector<double>(2 * 70, 1e-3)};
  expect_faithful(model, parameters, call, random_cotangents(model, 70, 7));
}

}  // namespace
}  // namespace ito::test
