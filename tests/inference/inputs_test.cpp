// Exogenous inputs in data: what rules when, against a linear system with a known input, and what
// is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <vector>

#include <ito/ito.hpp>

#include "inference/models.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

constexpr float gap = std::numeric_limits<float>::quiet_NaN();

/// dX = (a X + b₁ v₁ + b₂ v₂ + c) dt + s dW from 0, seen with noise.
struct DrivenSystem {
  double a = -0.8, b1 = 2.5, b2 = -1.5, c = 0.3, s = 0.6, noise = 0.5;

  SeriesModel model() const {
    SeriesModel result;
    result.latent.model.inputs = 2;
    result.latent.model.drift = Mlp{.hidden = {}, .time = false};
    result.latent.model.diffusion = IdentityDiffusion{s};
    result.latent.model.grid = {0, 1};
    result.latent.likelihood = Gaussian{.scale = noise};
    result.longest_step = 0.1;
    return result;
  }
  Parameters parameters(const LatentModel& latent) const {
    Parameters result = zero_parameters(latent);
    const float weights[] = {static_cast<float>(a), static_cast<float>(b1), static_cast<float>(b2)};
    std::copy(std::begin(weights), std::end(weights), result["drift.0.weight"].begin());
    result["drift.0.bias"][0] = static_cast<float>(c);
    return result;
  }

  /// Mean and variance of X, and log p(y) of what was seen.
  struct Law {
    double mean = 0, variance = 0, log_density = 0;

    /// Over a time with inputs v.
    void go_on(const DrivenSystem& of, double length, double longest_step, const float* v) {
      const double drive =
          of.b1 * static_cast<double>(v[0]) + of.b2 * static_cast<double>(v[1]) + of.c;
      const double count = std::ceil(length / longest_step * (1 - 1e-12)), h = length / count;
      for (int k = 0; k < static_cast<int>(count); ++k) {
        mean += (of.a * mean + drive) * h;
        variance = (1 + of.a * h) * (1 + of.a * h) * variance + of.s * of.s * h;
      }
    }
  };

  /// At the end of a series, by the Kalman filter of the chain with steps as `grid_through` has
  /// them; inputs seen at a time rule from it to the next, those of the first time before it too.
  Law law(const Series& series, double longest_step, double start) const {
    Law at;
    double time = start;
    for (std::size_t i = 0; i < series.length(); ++i) {
      at.go_on(*this, series.times[i] - time, longest_step,
               &series.inputs[2 * (i > 0 ? i - 1 : 0)]);
      time = series.times[i];
      if (std::isnan(series.values[i])) continue;
      const double total = at.variance + noise * noise;
      const double surprise = static_cast<double>(series.values[i]) - at.mean;
      at.log_density -=
          0.5 * (surprise * surprise / total + std::log(2 * std::numbers::pi * total));
      at.mean += at.variance / total * surprise;
      at.variance *= noise * noise / total;
    }
    return at;
  }
};

SeriesDataset driven_series() {
  SeriesDataset data{.columns = {"y"}, .input_columns = {"u", "v"}};
  data.series.push_back(
      {"1", {0.2, 0.5, 0.9, 1.4}, {0.3F, gap, 1.1F, 0.4F}, {1, 0, 0.5F, -1, -2, 0.3F, 9, 9}});
  data.series.push_back({"2", {0.7}, {-0.5F}, {-1, 0.4F}});
  data.series.push_back({"3", {0.1, 1.2}, {gap, 0.8F}, {0.2F, -1, 5, 5}});
  return data;
}

TEST(SeriesInputs, RuleFromTheirTimeToTheNext) {
  SeriesModel model = DrivenSystem{}.model();
  const auto [latent, data] = latent_series(model, driven_series());
  EXPECT_EQ(latent.model.input_steps, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(data.inputs, (std::vector<float>{1,    0,    1,    0,  0.5F, -1, -2, 0.3F,  //
                                             -1,   0.4F, 0,    0,  0,    0,  0,  0,     //
                                             0.2F, -1,   0.2F, -1, 0,    0,  0,  0}));
  EXPECT_EQ(data.slice(1, 3).inputs,
            std::vector<float>(data.inputs.begin() + 8, data.inputs.end()));
  EXPECT_TRUE(data.slice(1, 1).inputs.empty());
}

// Prior paths have few modes to miss: the estimate's own error is known, and the chance that four
// of them are passed is 6e-5 a series.
TEST(SeriesInputs, GiveTheEvidenceOfTheKalmanFilterWithTheInput) {
  const DrivenSystem system;
  for (const std::optional<double> start : {std::optional<double>{}, std::optional{-0.1}}) {
    SeriesModel model = system.model();
    model.start = start;
    const SeriesDataset series = driven_series();
    const auto [latent, data] = latent_series(model, series);
    const Parameters parameters = system.parameters(latent);
    for (const Device device : {Device::cpu(), Device::reference()}) {
      for (std::size_t i = 0; i < data.count; ++i) {
        const std::uint64_t samples = device == Device::cpu() ? 20'000 : 4'000;
        const Evaluation got =
            evaluate(latent, parameters, {.samples = samples, .seed = 3, .execution = {device, 1}},
                     data.slice(i, i + 1));
        const Series& one = series.series[i];
        const double wanted =
            system.law(one, model.longest_step, start.value_or(one.times[0])).log_density;
        EXPECT_LT(got.log_marginal_error, 0.05);
        EXPECT_NEAR(got.log_marginal.front(), wanted, 4 * got.log_marginal_error + 1e-5) << i;
      }
    }
  }
}

/// The bound is the evidence only with the right inputs: without them the first series is far off.
TEST(SeriesInputs, AreLearned) {
  const DrivenSystem system;
  SeriesModel model = system.model();
  SeriesDataset training{.columns = {"y"}, .input_columns = {"u", "v"}};
  for (std::uint64_t i = 0; i < 64; ++i) {
    Series series{.name = std::to_string(i)};
    double x = 0;
    for (std::uint32_t k = 0; k < 6; ++k) {
      const auto normal = [&](std::uint32_t which) {
        return standard_normal(9, i, k, which, NoiseStream::path);
      };
      series.times.push_back(0.2 * (k + 1));
      // What rules from the time before; before the first, the first.
      const std::size_t rules = k > 0 ? 2 * (k - 1) : 0;
      for (std::uint32_t j = 0; j < 2; ++j)
        series.inputs.push_back(static_cast<float>(normal(10 + j)));
      for (std::uint32_t step = 0; step < 2 && k > 0; ++step)
        x += (system.a * x + system.b1 * static_cast<double>(series.inputs[rules]) +
              system.b2 * static_cast<double>(series.inputs[rules + 1]) + system.c) *
                 0.1 +
             system.s * std::sqrt(0.1) * normal(step);
      series.values.push_back(static_cast<float>(x + system.noise * normal(5)));
    }
    training.series.push_back(series);
  }
  const auto [latent, data] = latent_series(model, training);
  const FitOptions options{.epochs = 30,
                           .batch = 16,
                           .samples = 64,
                           .objective = Objective::importance_weighted,
                           .learning_rate = 0.05,
                           .execution = {Device::cpu(), 1}};
  const FitResult fitted = fit(latent, options, data);
  const auto weights = fitted.parameters["drift.0.weight"];
  // 320 steps of 0.2 in which v moves X by b v 0.2 past noise of 0.6 √0.2 and 0.5: 0.2 or so.
  EXPECT_NEAR(static_cast<double>(weights[1]), system.b1, 0.7);
  EXPECT_NEAR(static_cast<double>(weights[2]), system.b2, 0.7);
  EXPECT_EQ(fit(latent, options, data).parameters.values()[1], fitted.parameters.values()[1]);
}

// Samples go on from draws of weighted paths, whose effective number stands for theirs: a mean of
// them has the error √(variance / ess), and that of y adds noise of its own.
TEST(SeriesInputs, GoOnInForecasts) {
  const DrivenSystem system;
  SeriesModel model = system.model();
  model.start = -0.1;
  const SeriesDataset series = driven_series();
  const Parameters parameters = system.parameters(latent_series(model, series).latent);
  const std::vector<double> times{1.5, 1.8, 2.4};
  std::vector<float> later;
  for (std::size_t i = 0; i < 3 * times.size() * 2; ++i)
    later.push_back(static_cast<float>(2 * std::cos(2 * static_cast<double>(i))));
  ForecastOptions options{
      .samples = 4000, .seed = 2, .least_ess = 0, .mean = true, .inputs = later};
  const auto got = forecast(model, parameters, series, times, options);
  for (std::size_t r = 0; r < 3; ++r) {
    const Series& one = series.series[r];
    DrivenSystem::Law law = system.law(one, model.longest_step, -0.1);
    double time = one.times.back();
    const float* rules = &one.inputs[one.inputs.size() - 2];
    for (std::size_t t = 0; t < times.size(); ++t) {
      law.go_on(system, times[t] - time, model.longest_step, rules);
      time = times[t];
      rules = &later[(r * times.size() + t) * 2];
      const double error = std::sqrt(law.variance / got[r].ess);
      EXPECT_NEAR(static_cast<double>(got[r].mean[t]), law.mean, 4 * error) << r << ", " << t;
      EXPECT_LT(error, 0.05);
    }
  }
  later[later.size() - 1] += 100;  // of the last time, which nothing follows
  EXPECT_EQ(forecast(model, parameters, series, times, options)[2].samples, got[2].samples);
  options.inputs = options.inputs.first(4);
  EXPECT_EQ(refusal([&] { forecast(model, parameters, series, times, options); }),
            "forecast.inputs: got 4 numbers; accepted: 18 (series × times × inputs)");
}

// The prior with those inputs: nothing is observed, so that the law is that of the chain alone.
TEST(SeriesInputs, MoveDrawnSeries) {
  const DrivenSystem system;
  SeriesModel model = system.model();
  model.start = 0.0;
  const Parameters parameters = system.parameters(model.latent);
  const std::vector<double> times{0.3, 0.7, 1.0};
  constexpr std::size_t count = 4000;
  const std::vector<float> mine{1, -1, 2, 0.5F, 9, 9}, others{-2, 3, 0, 0, 0, 0};
  std::vector<float> inputs;
  for (std::size_t i = 0; i < count; ++i)
    inputs.insert(inputs.end(), (i == 1 ? others : mine).begin(), (i == 1 ? others : mine).end());
  SampleOptions options{.seed = 3, .mean = true, .inputs = inputs};
  const SeriesDataset drawn = sample_series(model, parameters, times, count, options);
  EXPECT_EQ(drawn.input_columns, (std::vector<std::string>{"u1", "u2"}));
  EXPECT_EQ(drawn.series[1].inputs, others);
  DrivenSystem::Law law;
  double time = 0;
  for (std::size_t t = 0; t < times.size(); ++t) {
    law.go_on(system, times[t] - time, model.longest_step, &mine[2 * (t > 0 ? t - 1 : 0)]);
    time = times[t];
    double mean = 0;
    for (std::size_t i = 0; i < count; ++i)
      if (i != 1) mean += static_cast<double>(drawn.series[i].values[t]) / (count - 1);
    EXPECT_NEAR(mean, law.mean, 4 * std::sqrt(law.variance / (count - 1))) << t;
  }
  // A series is a function of its place and of its own inputs.
  options.inputs = options.inputs.first(2 * mine.size());
  EXPECT_EQ(sample_series(model, parameters, times, 2, options).series[1].values,
            drawn.series[1].values);
  EXPECT_EQ(refusal([&] { sample_series(model, parameters, times, 3, options); }),
            "sample.inputs: got 12 numbers; accepted: 18 (series × times × inputs)");
}

// Between two times the inputs of the first rule; what comes later is seen through one number.
TEST(SeriesInputs, RuleBetweenTimesInImputations) {
  const DrivenSystem system;
  SeriesModel model = system.model();
  model.start = 0.0;
  const Parameters parameters = system.parameters(model.latent);
  SeriesDataset data{.columns = {"y"}, .input_columns = {"u", "v"}};
  data.series.push_back({"1", {0.5, 1}, {gap, 0.9F}, {1, -0.5F, 2, 2}});
  const std::vector<double> times{0.7};
  const auto got = impute(model, parameters, data, times,
                          {.samples = 20000, .seed = 4, .least_ess = 0, .mean = true});
  // X at 0.7, and Y − X's later moves given it: a Gaussian posterior by hand.
  DrivenSystem::Law at;
  at.go_on(system, 0.5, model.longest_step, &data.series[0].inputs[0]);
  at.go_on(system, 0.2, model.longest_step, &data.series[0].inputs[0]);
  DrivenSystem::Law later, moved{.mean = 1};
  later.go_on(system, 0.3, model.longest_step, &data.series[0].inputs[0]);
  moved.go_on(system, 0.3, model.longest_step, &data.series[0].inputs[0]);
  const double slope = moved.mean - later.mean,
               total = slope * slope * at.variance + later.variance + system.noise * system.noise,
               gain = at.variance * slope / total;
  const double mean = at.mean + gain * (0.9 - (later.mean + slope * at.mean)),
               variance = at.variance * (1 - gain * slope);
  EXPECT_NEAR(static_cast<double>(got[0].mean[0]), mean, 4 * std::sqrt(variance / got[0].ess));
  EXPECT_LT(std::sqrt(variance / got[0].ess), 0.02);
}

// Without a drift only the control reads inputs: the prior's paths take none, and the law of what
// follows is that of a Brownian motion.
TEST(SeriesInputs, OfTheControlAloneHaveNoPartInWhatFollows) {
  const DrivenSystem system{.a = 0, .b1 = 0, .b2 = 0, .c = 0};
  SeriesModel model = system.model();
  model.latent.model.drift = ZeroDrift{};
  model.latent.model.control = FeedbackControl{{.hidden = {4}}};
  model.start = -0.1;
  const SeriesDataset series = driven_series();
  const Parameters parameters = scattered(latent_series(model, series).latent, 3);
  const std::vector<double> times{1.5, 2.4};
  ForecastOptions options{.samples = 4000, .seed = 2, .least_ess = 0, .mean = true};
  const auto got = forecast(model, parameters, series, times, options);
  for (std::size_t r = 0; r < 3; ++r) {
    DrivenSystem::Law law = system.law(series.series[r], model.longest_step, -0.1);
    law.go_on(system, 2.4 - series.series[r].times.back(), model.longest_step,
              series.series[r].inputs.data());
    const double error = std::sqrt(law.variance / got[r].ess);
    EXPECT_NEAR(static_cast<double>(got[r].mean[1]), law.mean, 4 * error) << r;
    EXPECT_LT(error, 0.1);
  }
  const SeriesSplit split = split_after(series.slice(0, 1), 0.6);
  EXPECT_EQ(score_forecasts(model, parameters, split.first, split.second, options).numbers, 2U);
  EXPECT_EQ(sample_series(model, parameters, times, 5, {.seed = 3}).count(), 5U);
  const std::vector<float> later(3 * 2 * 2);
  options.inputs = later;
  EXPECT_EQ(refusal([&] { forecast(model, parameters, series, times, options); }),
            "forecast.inputs: got 12 numbers; accepted: none: the prior takes no inputs");
}

// --- Whole rows, on the model's own grid

LatentModel whole_rows() {
  LatentModel latent = full_model(Gaussian{});
  latent.model.inputs = 2;
  latent.model.input_steps = {0, 3};
  return validated(latent);
}

std::vector<float> some_inputs(std::size_t rows) {
  std::vector<float> inputs;
  for (std::size_t i = 0; i < rows * 4; ++i)
    inputs.push_back(static_cast<float>(std::cos(2 * static_cast<double>(i))));
  return inputs;
}

Dataset whole_data(std::size_t rows) {
  Dataset data = counts(rows, 2, 5);
  data.inputs = some_inputs(rows);
  return data;
}

TEST(Inputs, StandBeforeWhatTheEncoderGives) {
  const LatentModel latent = whole_rows();
  LatentModel without = latent;
  without.model.inputs = 0;
  without.model.input_steps = {};
  const Parameters parameters = scattered(latent, 3);
  Parameters same = zero_parameters(without);
  for (const Tensor& tensor : same.tensors())
    if (tensor.name.starts_with("encoder.")) {
      const auto from = parameters[tensor.name];
      std::copy(from.begin(), from.end(), same[tensor.name].begin());
    }
  const Dataset data = whole_data(3);
  Dataset bare = data;
  bare.inputs.clear();
  const std::vector<float> rows = encode(latent, parameters, data),
                           own = encode(without, same, bare);
  ASSERT_EQ(rows.size(), 3U * 2 * (2 + 4));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = i / 6, column = i % 6;
    EXPECT_EQ(rows[i], column < 2 ? data.inputs[2 * row + column] : own[4 * row + column - 2]) << i;
  }
}

TEST(Inputs, OfADrawRuleItsPath) {
  const LatentModel latent = whole_rows();
  const Parameters parameters = scattered(latent, 3);
  const std::vector<float> inputs = some_inputs(40);
  const Dataset drawn = sample(latent, parameters, 40, {.seed = 7, .mean = true, .inputs = inputs});
  Plan plan(prior(latent.model));
  const Paths paths = plan.simulate(
      parameters, {.paths = 40, .seed = 7, .context = inputs, .paths_per_observation = 1});
  EXPECT_EQ(drawn.values,
            observation_mean(latent, parameters, decode(latent, parameters, paths.states())));
}

TEST(Inputs, AreParametersOfARun) {
  const LatentModel latent = whole_rows();
  const auto folder = std::filesystem::temp_directory_path() / "ito_inputs_test";
  std::filesystem::create_directories(folder);
  FitOptions options{.epochs = 1, .batch = 4, .samples = 2, .execution = {Device::cpu(), 1}};
  options.checkpoint = folder / "fit.safetensors";
  std::filesystem::remove(options.checkpoint);
  Dataset data = whole_data(8);
  fit(latent, options, data);
  options.resume = true;
  fit(latent, options, data);
  data.inputs[3] += 1;
  const std::string message = refusal([&] { fit(latent, options, data); });
  EXPECT_NE(message.find("training data: got \"8 rows of 2 x 5 numbers, hash"), std::string::npos)
      << message;
  std::filesystem::remove_all(folder);
}

TEST(Inputs, ThatDoNotFitAreRefusedByName) {
  const LatentModel latent = whole_rows();
  Dataset data = whole_data(3);
  data.inputs.pop_back();
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }),
            "data.inputs: got 11 numbers; accepted: 12 (rows × input steps × inputs)");
  data.inputs.clear();
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }),
            "data.inputs: got 0 numbers; accepted: 12 (rows × input steps × inputs)");
  data = whole_data(3);
  data.inputs[7] = gap;
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }),
            "data.inputs: row 2 of 3, input step 2, input 2: got nan; accepted: finite numbers");
  EXPECT_EQ(refusal([&] { check_dataset(data, full_model(Gaussian{})); }),
            "data.inputs: got 12 numbers; accepted: none: the model has no inputs");
  EXPECT_EQ(refusal([&] { sample(latent, initialize(latent, 1), 3); }),
            "sample.inputs: got 0 numbers; accepted: 12 (rows × input steps × inputs)");
  EXPECT_EQ(
      refusal([&] { deep_latent_gaussian(latent.model, initialize(latent.model, 1).values()); }),
      "inputs: got 2; accepted: 0: a layer's map takes the state alone");
}

TEST(SeriesInputs, OfAnotherNumberAreRefusedByName) {
  SeriesModel model = DrivenSystem{}.model();
  model.latent.model.inputs = 3;
  EXPECT_EQ(refusal([&] { latent_series(model, driven_series()); }),
            "series: got 2 inputs; accepted: 3 (the model's `inputs`)");
  model.latent.model.inputs = 0;
  EXPECT_EQ(refusal([&] { latent_series(model, driven_series()); }),
            "series: got 2 inputs; accepted: none: no net takes exogenous inputs; exclude these "
            "columns");
}

}  // namespace
}  // namespace ito::test
