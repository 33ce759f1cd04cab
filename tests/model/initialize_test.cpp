#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <ito/noise.hpp>
#include <ito/parameters.hpp>

namespace ito {
namespace {

Model wide() {
  Model model;
  model.state = 4;
  model.grid = uniform_grid(1.0, 8);
  model.drift = Mlp{.hidden = {64, 64}};
  model.diffusion = DiagonalDiffusion{.net = {.hidden = {64}, .output = Activation::softplus}};
  model.control = FeedbackControl{.net = {.hidden = {64, 64}}, .context = 3};
  return model;
}

bool all_zero(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return value == 0.0F; });
}

TEST(Initialize, WeightsAreTheDocumentedNormals) {
  const Parameters parameters = initialize(wide(), 42);
  const auto tensors = parameters.tensors();
  for (std::size_t j = 0; j < tensors.size(); ++j) {
    const bool last_of_control = tensors[j].name == "control.2.weight";
    const auto values = parameters[tensors[j].name];
    if (tensors[j].shape.size() == 1 || last_of_control) {
      EXPECT_TRUE(all_zero(values)) << tensors[j].name;
      continue;
    }
    const double fan_in = static_cast<double>(tensors[j].shape[1]);
    for (std::size_t i = 0; i < values.size(); i += 17) {
      const double z =
          standard_normal(42, i, static_cast<std::uint32_t>(j), 0, NoiseStream::parameters);
      EXPECT_FLOAT_EQ(values[i], static_cast<float>(z / std::sqrt(fan_in)))
          << tensors[j].name << " element " << i;
    }
  }
}

TEST(Initialize, WeightsHaveMeanZeroAndVarianceOneOverFanIn) {
  const Parameters parameters = initialize(wide(), 1);
  for (const char* name : {"drift.1.weight", "control.1.weight"}) {
    const auto values = parameters[name];  // 4096 numbers, fan_in 64
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
      sum += value;
      squares += double{value} * value;
    }
    const double count = static_cast<double>(values.size());
    // Five standard errors: sd(mean) = √(1/64/4096), sd(mean square) = √(2/4096)/64.
    EXPECT_NEAR(sum / count, 0.0, 5 * std::sqrt(1.0 / 64 / count)) << name;
    EXPECT_NEAR(squares / count * 64, 1.0, 5 * std::sqrt(2.0 / count)) << name;
  }
}

TEST(Initialize, IsAFunctionOfTheSeed) {
  const Parameters a = initialize(wide(), 5);
  const Parameters b = initialize(wide(), 5);
  const Parameters c = initialize(wide(), 6);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.values().data(), b.values().data(), a.size() * sizeof(float)), 0);
  EXPECT_NE(std::memcmp(a.values().data(), c.values().data(), a.size() * sizeof(float)), 0);
}

TEST(Initialize, TensorsOfOneModelDiffer) {
  const Parameters parameters = initialize(wide(), 5);
  EXPECT_FALSE(std::ranges::equal(parameters["drift.1.weight"], parameters["control.1.weight"]));
}

TEST(Initialize, APriorsParametersAreAPrefix) {
  const Parameters all = initialize(wide(), 3);
  const Parameters of_prior = initialize(prior(wide()), 3);
  ASSERT_LT(of_prior.size(), all.size());
  EXPECT_TRUE(std::ranges::equal(of_prior.values(), all.values().first(of_prior.size())));
}

TEST(Initialize, ConstantsStartAtTheirValues) {
  Model model;
  model.state = 2;
  model.grid = {0, 1};
  model.initial = GaussianInitial{{1, -2}, {0.5, 2}};
  model.diffusion = ConstantDiffusion{.value = {3, 4}};
  model.control = ConstantControl{{5, 6}};
  const Parameters given = initialize(model, 0);
  EXPECT_EQ(given["initial.mean"][1], -2.0F);
  EXPECT_FLOAT_EQ(given["initial.log_std"][0], std::log(0.5F));
  EXPECT_FLOAT_EQ(given["initial.log_std"][1], std::log(2.0F));
  EXPECT_EQ(given["diffusion.value"][1], 4.0F);
  EXPECT_EQ(given["control.value"][0], 5.0F);

  model.initial = LearnedInitial{{7, 8}};
  EXPECT_EQ(initialize(model, 0)["initial.value"][1], 8.0F);

  model.initial = GaussianInitial{};
  model.diffusion = ConstantDiffusion{};
  model.control = ConstantControl{};
  const Parameters defaults = initialize(model, 0);
  EXPECT_TRUE(all_zero(defaults["initial.mean"]));
  EXPECT_TRUE(all_zero(defaults["initial.log_std"]));
  EXPECT_EQ(defaults["diffusion.value"][0], 1.0F);
  EXPECT_TRUE(all_zero(defaults["control.value"]));
}

/// Row by row, the first `columns` entries of two matrices.
void expect_same_columns(std::span<const float> a, std::size_t a_columns, std::span<const float> b,
                         std::size_t b_columns, std::size_t columns) {
  ASSERT_EQ(a.size() / a_columns, b.size() / b_columns);
  for (std::size_t row = 0; row < a.size() / a_columns; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      EXPECT_EQ(a[row * a_columns + column], b[row * b_columns + column]) << row << ", " << column;
    }
  }
}

TEST(Initialize, ADriftControlCopiesTheDriftAndIgnoresContext) {
  Model model = wide();
  model.control = DriftControl{.net = {.hidden = {64, 64}}, .context = 3};
  const Parameters parameters = initialize(model, 9);
  const auto first = parameters["control.0.weight"];  // state 4, time 1, context 3
  expect_same_columns(parameters["drift.0.weight"], 5, first, 8, 5);
  for (std::size_t row = 0; row < 64; ++row) EXPECT_TRUE(all_zero(first.subspan(row * 8 + 5, 3)));
  for (const char* rest : {"1.weight", "1.bias", "2.weight", "2.bias"}) {
    EXPECT_TRUE(std::ranges::equal(parameters[std::string("drift.") + rest],
                                   parameters[std::string("control.") + rest]))
        << rest;
  }
}

TEST(Initialize, ADriftControlWithTimeCopiesADriftWithout) {
  Model model = wide();
  std::get<Mlp>(model.drift).time = false;
  model.control = DriftControl{.net = {.hidden = {64, 64}}};
  const Parameters parameters = initialize(model, 9);
  const auto first = parameters["control.0.weight"];  // state 4, time 1
  expect_same_columns(parameters["drift.0.weight"], 4, first, 5, 4);
  for (std::size_t row = 0; row < 64; ++row) EXPECT_EQ(first[row * 5 + 4], 0.0F);
}

/// Behind a time that the drift does not take.
TEST(Initialize, ADriftControlCopiesTheDriftsInputs) {
  Model model = wide();
  model.inputs = 2;
  std::get<Mlp>(model.drift).time = false;
  model.control = DriftControl{.net = {.hidden = {64, 64}}, .context = 3};
  const Parameters parameters = initialize(model, 9);
  const auto drift = parameters["drift.0.weight"];    // state 4, inputs 2
  const auto first = parameters["control.0.weight"];  // state 4, time 1, inputs 2, context 3
  expect_same_columns(drift, 6, first, 10, 4);
  for (std::size_t row = 0; row < 64; ++row) {
    EXPECT_EQ(first[row * 10 + 4], 0.0F);
    EXPECT_EQ(first[row * 10 + 5], drift[row * 6 + 4]);
    EXPECT_EQ(first[row * 10 + 6], drift[row * 6 + 5]);
    EXPECT_TRUE(all_zero(first.subspan(row * 10 + 7, 3)));
  }
}

TEST(Initialize, ADriftControlUnlikeTheDriftStartsWithZeroOutput) {
  const Mlp others[] = {{.hidden = {64, 32}},
                        {.hidden = {64}},
                        {.hidden = {64, 64}, .activation = Activation::silu},
                        {.hidden = {64, 64}, .output = Activation::tanh},
                        {.hidden = {64, 64}, .time = false}};
  for (const Mlp& net : others) {
    Model model = wide();
    model.control = DriftControl{.net = net};
    const Parameters parameters = initialize(model, 9);
    const std::string last = "control." + std::to_string(net.hidden.size());
    EXPECT_TRUE(all_zero(parameters[last + ".weight"]));
    EXPECT_TRUE(all_zero(parameters[last + ".bias"]));
    EXPECT_FALSE(all_zero(parameters["control.0.weight"]));
  }
}

}  // namespace
}  // namespace ito
