#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include <ito/model.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Two dimensions, four steps, every part trivial.
Model plain() {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 4);
  return model;
}

struct Refusal {
  const char* name;
  std::function<void(Model&)> spoil;
  const char* message;
};

class InvalidModel : public testing::TestWithParam<Refusal> {};

TEST_P(InvalidModel, IsRefusedByFieldValueAndWhatIsAccepted) {
  Model model = plain();
  GetParam().spoil(model);
  EXPECT_EQ(refusal([&] { validated(model); }), GetParam().message);
}

const char* const no_exp =
    "; accepted: identity, relu, tanh, sigmoid, softplus, silu, lipswish, gelu, elu (exp is for "
    "the output "
    "of a diffusion)";
const std::string exp_in_drift = std::string("drift.activation: got exp") + no_exp;
const std::string exp_out_of_drift = std::string("drift.output: got exp") + no_exp;
const std::string exp_in_diffusion = std::string("diffusion.activation: got exp") + no_exp;
const std::string exp_out_of_control = std::string("control.output: got exp") + no_exp;

void non_square(Model& m) { m.noise = 3; }

// Controls are assigned member by member, because GCC 12 warns falsely of uninitialised members
// where some aggregates with vectors are built in place.
template <class NetControl>
void set_context(Model& m, int context, std::vector<int> context_steps = {}) {
  NetControl control;
  control.context = context;
  control.context_steps = std::move(context_steps);
  m.control = std::move(control);
}

template <class NetControl>
void set_control(Model& m, Mlp net) {
  NetControl control;
  control.net = std::move(net);
  m.control = std::move(control);
}

const Refusal sizes_and_times[] = {
    {"state_zero", [](Model& m) { m.state = 0; },
     "state: got 0; accepted: integers from 1 to 1024"},
    {"state_large", [](Model& m) { m.state = 1025; },
     "state: got 1025; accepted: integers from 1 to 1024"},
    {"noise_negative", [](Model& m) { m.noise = -1; },
     "noise: got -1; accepted: integers from 1 to 1024"},
    {"noise_large", [](Model& m) { m.noise = 1025; },
     "noise: got 1025; accepted: integers from 1 to 1024"},
    {"grid_empty", [](Model& m) { m.grid = {}; },
     "grid: got 0 times; accepted: at least two increasing times"},
    {"grid_single", [](Model& m) { m.grid = {0}; },
     "grid: got 1 times; accepted: at least two increasing times"},
    {"grid_too_long", [](Model& m) { m.grid.resize(10'000'002); },
     "grid: got 10000002 times; accepted: up to 10000001 times"},
    {"grid_equal",
     [](Model& m) {
       m.grid = {0, 1, 1};
     },
     "grid[2]: got 1; accepted: times above grid[1] = 1"},
    {"grid_decreasing",
     [](Model& m) {
       m.grid = {0, 1, 0.5};
     },
     "grid[2]: got 0.5; accepted: times above grid[1] = 1"},
    {"grid_nan",
     [](Model& m) {
       m.grid = {0, nan};
     },
     "grid[1]: got nan; accepted: finite float32 numbers"},
    {"grid_infinite",
     [](Model& m) {
       m.grid = {-infinity, 1};
     },
     "grid[0]: got -inf; accepted: finite float32 numbers"},
    {"save_beyond", [](Model& m) { m.save = {5}; },
     "save[0]: got 5; accepted: integers from 0 to 4"},
    {"save_negative",
     [](Model& m) {
       m.save = {0, -1};
     },
     "save[1]: got -1; accepted: integers from 0 to 4"},
    {"save_twice",
     [](Model& m) {
       m.save = {1, 1};
     },
     "save[1]: got 1; accepted: step indices above save[0] = 1"},
};

const Refusal initials_and_drifts[] = {
    {"point_size", [](Model& m) { m.initial = PointInitial{{1}}; },
     "initial.value: got 1 numbers; accepted: 2 numbers, or none"},
    {"learned_nan",
     [](Model& m) {
       m.initial = LearnedInitial{{1, nan}};
     },
     "initial.value[1]: got nan; accepted: finite float32 numbers"},
    {"learned_beyond_float",
     [](Model& m) {
       m.initial = LearnedInitial{{1e39, 0}};
     },
     "initial.value[0]: got 1e+39; accepted: finite float32 numbers"},
    {"gaussian_std_size",
     [](Model& m) {
       m.initial = GaussianInitial{{}, {1, 2, 3}};
     },
     "initial.std: got 3 numbers; accepted: 2 numbers, or none"},
    {"gaussian_std_zero",
     [](Model& m) {
       m.initial = GaussianInitial{{}, {1, 0}};
     },
     "initial.std[1]: got 0; accepted: finite float32 numbers above 0"},
    {"hidden_negative",
     [](Model& m) {
       m.drift = Mlp{.hidden = {8, -3}};
     },
     "drift.hidden[1]: got -3; accepted: integers from 1 to 4096"},
    {"hidden_wide", [](Model& m) { m.drift = Mlp{.hidden = {4097}}; },
     "drift.hidden[0]: got 4097; accepted: integers from 1 to 4096"},
    {"hidden_deep", [](Model& m) { m.drift = Mlp{.hidden = std::vector<int>(17, 4)}; },
     "drift.hidden: got 17 layers; accepted: up to 16 layers"},
    {"exp_hidden", [](Model& m) { m.drift = Mlp{.activation = Activation::exp}; },
     exp_in_drift.c_str()},
    {"exp_output", [](Model& m) { m.drift = Mlp{.output = Activation::exp}; },
     exp_out_of_drift.c_str()},
};

const Refusal diffusions[] = {
    {"identity_not_square", non_square,
     "noise: got 3; accepted: 2 (noise = state) with an identity diffusion, or a general or "
     "constant "
     "one"},
    {"diagonal_not_square",
     [](Model& m) {
       non_square(m);
       m.diffusion = DiagonalDiffusion{};
     },
     "noise: got 3; accepted: 2 (noise = state) with a diagonal diffusion, or a general or "
     "constant "
     "one"},
    {"identity_scale", [](Model& m) { m.diffusion = IdentityDiffusion{nan}; },
     "diffusion.scale: got nan; accepted: finite float32 numbers"},
    {"constant_diagonal_size",
     [](Model& m) {
       m.diffusion = ConstantDiffusion{.value = {1, 0, 0, 1}};
     },
     "diffusion.value: got 4 numbers; accepted: 2 numbers, or none"},
    {"constant_general_size",
     [](Model& m) {
       non_square(m);
       m.diffusion = ConstantDiffusion{.value = {1, 1}};
     },
     "diffusion.value: got 2 numbers; accepted: 6 numbers, or none"},
    {"constant_floor", [](Model& m) { m.diffusion = ConstantDiffusion{.floor = infinity}; },
     "diffusion.floor: got inf; accepted: finite float32 numbers"},
    {"general_hidden", [](Model& m) { m.diffusion = GeneralDiffusion{.net = {.hidden = {0}}}; },
     "diffusion.hidden[0]: got 0; accepted: integers from 1 to 4096"},
    {"diagonal_scale", [](Model& m) { m.diffusion = DiagonalDiffusion{.scale = infinity}; },
     "diffusion.scale: got inf; accepted: finite float32 numbers"},
    {"diffusion_exp_hidden",
     [](Model& m) { m.diffusion = GeneralDiffusion{.net = {.activation = Activation::exp}}; },
     exp_in_diffusion.c_str()},
};

const Refusal controls[] = {
    {"constant_size", [](Model& m) { m.control = ConstantControl{{1}}; },
     "control.value: got 1 numbers; accepted: 2 numbers, or none"},
    {"context_negative", [](Model& m) { set_context<FeedbackControl>(m, -1); },
     "control.context: got -1; accepted: integers from 0 to 65536"},
    {"context_large", [](Model& m) { set_context<OpenLoopControl>(m, 65'537); },
     "control.context: got 65537; accepted: integers from 0 to 65536"},
    {"context_steps_start",
     [](Model& m) {
       set_context<FeedbackControl>(m, 1, {1, 2});
     },
     "control.context_steps: got 1 first; accepted: increasing step indices that start with 0"},
    {"context_steps_order",
     [](Model& m) {
       set_context<FeedbackControl>(m, 1, {0, 2, 2});
     },
     "control.context_steps[2]: got 2; accepted: step indices above control.context_steps[1] = 2"},
    {"context_steps_end",
     [](Model& m) {
       set_context<FeedbackControl>(m, 1, {0, 4});
     },
     "control.context_steps[1]: got 4; accepted: integers from 0 to 3"},
    {"context_steps_without_context",
     [](Model& m) {
       set_context<FeedbackControl>(m, 0, {0, 2});
     },
     "control.context_steps: got 2 steps with context 0; accepted: [0], or none, unless context is "
     "above 0"},
    {"open_loop_without_input", [](Model& m) { set_control<OpenLoopControl>(m, {.time = false}); },
     "control.time: got false; accepted: true for an open-loop control without context (or "
     "\"constant\")"},
    {"control_exp", [](Model& m) { set_control<DriftControl>(m, {.output = Activation::exp}); },
     exp_out_of_control.c_str()},
    {"control_hidden", [](Model& m) { set_control<OpenLoopControl>(m, {.hidden = {5000}}); },
     "control.hidden[0]: got 5000; accepted: integers from 1 to 4096"},
};

const char* const zero_sigma =
    "; accepted: a σ that is nowhere zero with a drift control (for example softplus, sigmoid or "
    "exp "
    "with scale > 0 and floor ≥ 0), or a \"feedback\" control";
const std::string identity_output =
    std::string("diffusion.output: got identity with scale 1 and floor 0") + zero_sigma;
const std::string relu_output =
    std::string("diffusion.output: got relu with scale 1 and floor 0") + zero_sigma;
const std::string negative_floor =
    std::string("diffusion.output: got softplus with scale 1 and floor -0.1") + zero_sigma;
const std::string tanh_constant =
    std::string("diffusion.output: got tanh with scale 1 and floor 0.5") + zero_sigma;
const std::string zero_scale =
    std::string("diffusion.output: got softplus with scale 0 and floor 0") + zero_sigma;

void drift_control(Model& m, Diffusion diffusion) {
  m.diffusion = std::move(diffusion);
  set_context<DriftControl>(m, 0);
}

const Refusal drift_controls[] = {
    {"general_diffusion", [](Model& m) { drift_control(m, GeneralDiffusion{}); },
     "control.kind: got \"drift\" with a general diffusion; accepted: \"drift\" with a diagonal "
     "diffusion, or \"feedback\" with any"},
    {"constant_general_diffusion",
     [](Model& m) {
       non_square(m);
       drift_control(m, ConstantDiffusion{});
     },
     "control.kind: got \"drift\" with a constant with noise ≠ state diffusion; accepted: "
     "\"drift\" "
     "with a diagonal diffusion, or \"feedback\" with any"},
    {"identity_zero", [](Model& m) { drift_control(m, IdentityDiffusion{0.0}); },
     "diffusion.scale: got 0; accepted: nonzero numbers, because a drift control divides by σ"},
    {"constant_zero",
     [](Model& m) {
       drift_control(m, ConstantDiffusion{.value = {1, 0}});
     },
     "diffusion.value[1]: got 0; accepted: values with floor + scale · value ≠ 0, because a drift "
     "control divides by σ"},
    {"constant_tanh",
     [](Model& m) {
       drift_control(m, ConstantDiffusion{.output = Activation::tanh, .floor = 0.5});
     },
     tanh_constant.c_str()},
    {"diagonal_identity", [](Model& m) { drift_control(m, DiagonalDiffusion{.net = Mlp{}}); },
     identity_output.c_str()},
    {"diagonal_relu",
     [](Model& m) { drift_control(m, DiagonalDiffusion{.net = {.output = Activation::relu}}); },
     relu_output.c_str()},
    {"diagonal_negative_floor",
     [](Model& m) { drift_control(m, DiagonalDiffusion{.floor = -0.1}); }, negative_floor.c_str()},
    {"diagonal_zero_scale", [](Model& m) { drift_control(m, DiagonalDiffusion{.scale = 0}); },
     zero_scale.c_str()},
};

void set_inputs(Model& m, std::vector<int> steps = {}, int context = 0,
                std::vector<int> context_steps = {}) {
  m.inputs = 2;
  m.input_steps = std::move(steps);
  m.drift = Mlp{};
  if (context > 0) set_context<FeedbackControl>(m, context, std::move(context_steps));
}

const Refusal inputs[] = {
    {"negative", [](Model& m) { m.inputs = -1; },
     "inputs: got -1; accepted: integers from 0 to 65536"},
    {"for_nothing",
     [](Model& m) {
       m.inputs = 2;
       m.control = ConstantControl{};
     },
     "inputs: got 2 with a zero drift and no net control; accepted: 0, or a drift \"mlp\", or a "
     "control \"open-loop\", \"feedback\" or \"drift\""},
    {"steps_without",
     [](Model& m) {
       m.input_steps = {0, 2};
     },
     "input_steps: got 2 steps with inputs 0; accepted: [0], or none, unless inputs is above 0"},
    {"steps_late", [](Model& m) { set_inputs(m, {1}); },
     "input_steps: got 1 first; accepted: increasing step indices that start with 0"},
    {"steps_beyond",
     [](Model& m) {
       set_inputs(m, {0, 4});
     },
     "input_steps[1]: got 4; accepted: integers from 0 to 3"},
    {"context_steps_of_its_own",
     [](Model& m) {
       set_inputs(m, {0, 2}, 3, {0, 1});
     },
     "control.context_steps: got 2 steps of its own; accepted: none with inputs, or the same as "
     "input_steps"},
    {"too_many_together", [](Model& m) { set_inputs(m, {}, 65'536); },
     "control.context: got 65536 with 2 inputs; accepted: up to 65536 together"},
};

const auto case_name = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(SizesAndTimes, InvalidModel, testing::ValuesIn(sizes_and_times),
                         case_name);
INSTANTIATE_TEST_SUITE_P(InitialsAndDrifts, InvalidModel, testing::ValuesIn(initials_and_drifts),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Diffusions, InvalidModel, testing::ValuesIn(diffusions), case_name);
INSTANTIATE_TEST_SUITE_P(Controls, InvalidModel, testing::ValuesIn(controls), case_name);
INSTANTIATE_TEST_SUITE_P(DriftControls, InvalidModel, testing::ValuesIn(drift_controls), case_name);

TEST(Validation, FillsInDefaults) {
  Model model = plain();
  set_context<FeedbackControl>(model, 0, {});
  model = validated(model);
  EXPECT_EQ(model.noise, 2);
  EXPECT_EQ(model.save, std::vector<int>{4});
  EXPECT_EQ(std::get<FeedbackControl>(model.control).context_steps, std::vector<int>{0});
  set_context<OpenLoopControl>(model, 3);
  EXPECT_EQ(std::get<OpenLoopControl>(validated(model).control).context_steps, std::vector<int>{0});
}

INSTANTIATE_TEST_SUITE_P(Inputs, InvalidModel, testing::ValuesIn(inputs), case_name);

TEST(Validation, GivesTheContextTheStepsOfTheInputs) {
  Model model = plain();
  set_inputs(model, {0, 3}, 4);
  model = validated(model);
  EXPECT_EQ(std::get<FeedbackControl>(model.control).context_steps, (std::vector<int>{0, 3}));
  EXPECT_EQ(refusal([&] { validated(model); }), "accepted");
  set_inputs(model);
  set_context<OpenLoopControl>(model, 0);
  std::get<OpenLoopControl>(model.control).net.time = false;  // of v alone
  EXPECT_EQ(validated(model).input_steps, std::vector<int>{0});
}

TEST(Validation, AcceptsEveryBoundItself) {
  Model model;
  model.state = model.noise = 1024;
  model.grid = {-2, 3};
  model.save = {0, 1};
  model.drift = Mlp{.hidden = std::vector<int>(16, 4096)};
  set_context<FeedbackControl>(model, 65'536, {0});
  EXPECT_EQ(refusal([&] { validated(model); }), "accepted");
}

TEST(Validation, AcceptsADriftControlOnEveryDiagonalThatIsNowhereZero) {
  const Diffusion accepted[] = {
      IdentityDiffusion{-0.5},
      ConstantDiffusion{},
      ConstantDiffusion{.value = {-1, 2}},
      ConstantDiffusion{.output = Activation::exp},
      DiagonalDiffusion{},
      DiagonalDiffusion{.net = {.output = Activation::exp}, .scale = -2},
      DiagonalDiffusion{.net = {.output = Activation::relu}, .floor = 0.1},
      DiagonalDiffusion{.net = {.output = Activation::tanh}, .floor = 1},
      DiagonalDiffusion{.net = {.output = Activation::tanh}, .scale = 0.5, .floor = -0.5},
      DiagonalDiffusion{.net = {.output = Activation::sigmoid}, .floor = -1},
      DiagonalDiffusion{.net = {.output = Activation::silu}, .floor = 0.3},
      DiagonalDiffusion{.net = {.output = Activation::gelu}, .floor = 0.18},
      DiagonalDiffusion{.net = {.output = Activation::identity}, .scale = 0, .floor = 1},
  };
  for (const Diffusion& diffusion : accepted) {
    Model model = plain();
    drift_control(model, diffusion);
    EXPECT_EQ(refusal([&] { validated(model); }), "accepted");
  }
}

TEST(UniformGrid, HasExactEndsAndExactlyTheStepsAskedFor) {
  // 0.1 · 3 / 3 is not 0.1 in doubles, and repeated addition would drift.
  for (const double horizon : {0.1, 0.3, 1.0, 1.7, 1e-30, 1e30}) {
    for (const int steps : {1, 3, 7, 49, 1000}) {
      const auto grid = uniform_grid(horizon, steps);
      ASSERT_EQ(grid.size(), static_cast<std::size_t>(steps) + 1);
      EXPECT_EQ(grid.front(), 0.0);
      EXPECT_EQ(grid.back(), horizon);
      for (int k = 0; k <= steps; ++k) {
        EXPECT_DOUBLE_EQ(grid[static_cast<std::size_t>(k)], horizon * k / steps);
      }
    }
  }
}

TEST(UniformGrid, RefusesWhatIsNoGrid) {
  EXPECT_EQ(refusal([] { uniform_grid(0, 4); }),
            "horizon: got 0; accepted: finite numbers above 0");
  EXPECT_EQ(refusal([] { uniform_grid(nan, 4); }),
            "horizon: got nan; accepted: finite numbers above 0");
  EXPECT_EQ(refusal([] { uniform_grid(infinity, 4); }),
            "horizon: got inf; accepted: finite numbers above 0");
  EXPECT_EQ(refusal([] { uniform_grid(1, 0); }),
            "steps: got 0; accepted: integers from 1 to 10000000");
  EXPECT_EQ(refusal([] { uniform_grid(1, 10'000'001); }),
            "steps: got 10000001; accepted: integers from 1 to 10000000");
}

TEST(Prior, IsTheModelWithoutControl) {
  Model model = plain();
  model.drift = Mlp{.hidden = {3}};
  set_context<FeedbackControl>(model, 4);
  EXPECT_TRUE(std::holds_alternative<NoControl>(prior(model).control));
  EXPECT_EQ(std::get<Mlp>(prior(model).drift).hidden, std::vector<int>{3});
  model.inputs = 5;
  EXPECT_EQ(prior(model).inputs, 5);
  model.drift = ZeroDrift{};
  EXPECT_EQ(prior(model).inputs, 0);  // the control took them
}

}  // namespace
}  // namespace ito
