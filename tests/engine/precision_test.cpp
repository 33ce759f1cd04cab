// The float32 engines against the double-precision reference: 1e-5 for states and sums, 1e-4 for
// gradients, norm-wise (README, "Numbers").
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include <ito/device.hpp>
#include <ito/error.hpp>

#include "cuda/environment.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

const EngineKind& reference64() { return engine("reference64"); }

std::vector<EngineKind> float_engines() {
  std::vector<EngineKind> out = host_engines();
  for (const EngineKind& kind : cuda_engines()) out.push_back(kind);
  std::erase_if(out, [](const EngineKind& kind) { return kind.double_precision; });
  return out;
}

/// What the reference makes of a row; once for all engines.
struct Answer {
  PathValues paths;
  GradientValues gradient;
};

const Answer& answer(const ModelCase& row, std::uint64_t paths) {
  static std::map<std::string, Answer> known;
  const auto [at, fresh] = known.try_emplace(row.name + std::to_string(paths));
  if (fresh) {
    AnyPlan plan(reference64(), row.model);
    const ChainInputs inputs = row.inputs(paths);
    at->second = {plan.simulate(inputs.parameters, row.call(paths)),
                  plan.adjoint(inputs.parameters, row.call(paths),
                               random_cotangents(row.model, paths, row.seed + 11))};
  }
  return at->second;
}

void expect_faithful(const EngineKind& kind, const ModelCase& row, std::uint64_t paths) {
  SCOPED_TRACE(fmt::format("{}, {} paths", row.name, paths));
  const Answer& wanted = answer(row, paths);
  AnyPlan plan(kind, row.model);
  const ChainInputs inputs = row.inputs(paths);
  const PathValues got = plan.simulate(inputs.parameters, row.call(paths));
  EXPECT_LE(relative_error(got.states, wanted.paths.states), kind.state_tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.paths.energy), kind.state_tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.paths.martingale), kind.state_tolerance);
  EXPECT_EQ(got.status, wanted.paths.status);
  const GradientValues gradient = plan.adjoint(inputs.parameters, row.call(paths),
                                               random_cotangents(row.model, paths, row.seed + 11));
  EXPECT_TRUE(are_close(gradient, wanted.gradient, gradient_tolerance(kind, row.model)));
}

class Precision : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Precision, ::testing::ValuesIn(float_engines()), engine_name);

TEST_P(Precision, IsFaithfulForEveryModel) {
  for (const ModelCase& row : model_table(GetParam())) expect_faithful(GetParam(), row, 150);
}

TEST_P(Precision, IsFaithfulForEveryNumberOfPaths) {
  for (const char* name : {"mlp_diagonal_feedback", "context_of_one"}) {
    for (const std::uint64_t paths : {1u, 2u, 15u, 16u, 17u, 63u, 64u, 65u, 127u, 128u, 129u}) {
      expect_faithful(GetParam(), model_case(name), paths);
    }
  }
}

struct Size {
  int state, noise;  // noise 0: diagonal
  std::vector<int> hidden;
  int context = 0;
};

TEST_P(Precision, IsFaithfulForEverySize) {
  const Size sizes[] = {{1, 0, {1}, 0},        {1, 0, {256}, 1},      {64, 0, {1}, 0},
                        {64, 0, {256}, 7},     {7, 0, {31, 9}, 0},    {33, 0, {17}, 129},
                        {16, 0, {32, 32}, 16}, {2, 5, {13}, 3},       {9, 1, {8}, 0},
                        {1, 64, {5}, 0},       {64, 1, {5, 5, 5}, 0}, {5, 3, {}, 2}};
  for (const Size& size : sizes) {
    Model model;
    model.state = size.state;
    model.noise = size.noise;
    model.grid = uniform_grid(1.0, 6);
    model.save = {3, 6};
    model.initial = GaussianInitial{};
    const Mlp net{.hidden = size.hidden};
    Mlp positive = net;
    positive.output = Activation::softplus;
    model.drift = net;
    if (size.noise == 0) {
      model.diffusion = DiagonalDiffusion{positive, 0.5, 0.1};
    } else {
      model.diffusion = GeneralDiffusion{net, 0.3, 0.1};
    }
    if (size.noise == 0 && size.state % 2 == 0) {
      model.control = DriftControl{net, size.context};
    } else {
      model.control = FeedbackControl{net, size.context};
    }
    const std::string name = fmt::format("state {}, noise {}, hidden {}", size.state, size.noise,
                                         fmt::join(size.hidden, " "));
    expect_faithful(GetParam(), {name, model, X0::from_model, 1, 77}, 70);
  }
}

class InstructionSet : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, InstructionSet, ::testing::Values("sse2", "avx2", "avx512"),
                         [](const auto& row) { return std::string(row.param); });

TEST_P(InstructionSet, IsFaithfulForEveryModel) {
  const cuda::EnvironmentVariable isa("ITO_CPU_ISA", GetParam());
  try {
    ASSERT_EQ(cpu_instruction_set(), GetParam());
  } catch (const Error&) {
    GTEST_SKIP() << "this machine has no " << GetParam();
  }
  for (const ModelCase& row : model_table()) expect_faithful(engine("cpu"), row, 150);
}

TEST(InstructionSetName, ThatIsEmptyAsksForNone) {
  std::string best;
  {
    const cuda::EnvironmentVariable isa("ITO_CPU_ISA", "");
    best = cpu_instruction_set();
  }
  const cuda::EnvironmentVariable isa("ITO_CPU_ISA", best.c_str());
  EXPECT_EQ(cpu_instruction_set(), best);
}

TEST(InstructionSetName, ThatIsUnknownIsRefused) {
  const cuda::EnvironmentVariable isa("ITO_CPU_ISA", "mmx");
  try {
    Plan plan(model_case("one_step").model, Device::cpu());
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("ITO_CPU_ISA: got mmx; accepted: sse2"));
  }
}

}  // namespace
}  // namespace ito::test
