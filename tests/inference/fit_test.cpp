#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "inference/checks.hpp"
#include "inference/models.hpp"
#include "inference/optimizer.hpp"

namespace ito::test {
namespace {

/// y = X_1 + s ε of a Brownian prior, to be explained by a control that sees y.
struct Problem {
  static constexpr double variance = 0.5;
  LatentModel latent;
  Dataset training, held_out;

  explicit Problem(std::size_t rows = 96) {
    latent = brownian(1, 16, variance, FeedbackControl{.net = Mlp{.hidden = {16}}, .context = 1});
    latent.encoder = IdentityEncoder{};
    const LatentModel truth = brownian(1, 1, variance, NoControl{});
    training = sample(truth, {}, rows, {.seed = 1});
    held_out = sample(truth, {}, 64, {.seed = 2});
  }
  /// Mean of log p(y), which no bound exceeds.
  double evidence(const Dataset& data) const {
    double sum = 0;
    for (const float y : data.values) sum -= brownian_surprise({y}, variance);
    return sum / static_cast<double>(data.count);
  }
};

FitOptions quick() {
  return {.epochs = 4, .batch = 40, .learning_rate = 0.02, .warmup_epochs = 0.5};
}

class EveryObjective : public testing::TestWithParam<Objective> {};
INSTANTIATE_TEST_SUITE_P(Objectives, EveryObjective,
                         testing::Values(Objective::free_energy, Objective::sticking_the_landing,
                                         Objective::importance_weighted),
                         [](const auto& chosen) {
                           std::string text(name(chosen.param));
                           std::ranges::replace(text, '-', '_');
                           return text;
                         });

TEST_P(EveryObjective, TrainingClosesMostOfTheGapAndNeverExceedsTheEvidence) {
  const Problem problem;
  FitOptions options = quick();
  options.epochs = 60;
  options.objective = GetParam();
  options.averaging = 0.98;
  const FitResult result = fit(problem.latent, options, problem.training, problem.held_out);
  const double evidence = problem.evidence(problem.held_out);
  const EvaluateOptions precise{.samples = 256, .seed = 5};
  const Evaluation before =
      evaluate(problem.latent, initialize(problem.latent, options.seed), precise, problem.held_out);
  const Evaluation after = evaluate(problem.latent, result.parameters, precise, problem.held_out);
  EXPECT_GT(evidence - before.elbo, 1);
  EXPECT_LT(evidence - after.elbo, 0.15);
  EXPECT_GT(evidence - after.elbo, -0.02);  // Monte Carlo error: about 0.4/√(64 · 256) = 0.003
  EXPECT_NEAR(after.iwae, evidence, 0.005 + 4 * after.log_marginal_error);
  EXPECT_GT(after.ess, 200);
  ASSERT_EQ(result.history.size(), 60u);
  EXPECT_NEAR(result.history.back().held_out_elbo, after.elbo, 0.05);
  EXPECT_FALSE(result.interrupted);
}

TEST(Fit, HeldOutBoundsAreThoseOfTheAveragedParameters) {
  const Problem problem;
  FitOptions options = quick();
  options.averaging = 0.9;
  const FitResult result = fit(problem.latent, options, problem.training, problem.held_out);
  const Evaluation evaluation =
      evaluate(problem.latent, result.average, {.samples = 16, .seed = held_out_seed(options.seed)},
               problem.held_out);
  EXPECT_EQ(result.history.back().held_out_elbo, evaluation.elbo);
  EXPECT_EQ(result.history.back().held_out_iwae, evaluation.iwae);
  EXPECT_EQ(result.history.back().held_out_ess, evaluation.ess);
  options.averaging = 0;
  const FitResult last = fit(problem.latent, options, problem.training, problem.held_out);
  EXPECT_NE(last.history.back().held_out_elbo, evaluation.elbo);
  EXPECT_EQ(last.history.back().elbo, result.history.back().elbo);
}

// An average that lags in a fast run is worse than the last parameters; one that a wild last step
// has spared is better.
TEST(Fit, ReturnsTheParametersThatAreBetterOnHeldOutDataByTheBoundItTrains) {
  const Problem problem;
  std::set<Fitted> chosen;
  for (const Objective objective : {Objective::free_energy, Objective::importance_weighted}) {
    for (const double rate : {0.002, 1.0}) {
      FitOptions options = quick();
      options.objective = objective;
      options.schedule = Schedule::constant;
      options.learning_rate = rate;
      const FitResult result = fit(problem.latent, options, problem.training, problem.held_out);
      const auto bound = [&](const Parameters& parameters) {
        const Evaluation evaluation =
            evaluate(problem.latent, parameters,
                     {.samples = 16, .seed = held_out_seed(options.seed)}, problem.held_out);
        return objective == Objective::free_energy ? evaluation.elbo : evaluation.iwae;
      };
      const bool last = bound(result.last) > bound(result.average);
      EXPECT_EQ(result.chosen, last ? Fitted::last : Fitted::average);
      EXPECT_TRUE(std::ranges::equal(result.parameters.values(),
                                     (last ? result.last : result.average).values()));
      chosen.insert(result.chosen);
    }
  }
  EXPECT_EQ(chosen.size(), 2u) << "the cases do not tell the two apart";
  EXPECT_EQ(fit(problem.latent, quick(), problem.training).chosen, Fitted::average);
  FitOptions without = quick();
  without.averaging = 0;
  const FitResult result = fit(problem.latent, without, problem.training);
  EXPECT_EQ(result.chosen, Fitted::last);
  EXPECT_TRUE(std::ranges::equal(result.average.values(), result.last.values()));
}

// With one parameter u, X_1 = u + W_1 and E = u²/2: a step's gradient is β u + R with R the mean of
// (X_1 − y)/s², which is below 0 for a large y.
TEST(Fit, TheEnergysWeightMultipliesItsGradientAndNoRecordedBound) {
  constexpr double u = 0.5, y = 5, variance = 0.5;
  constexpr std::size_t paths = 4096;
  const LatentModel latent = brownian(1, 4, variance, ConstantControl{{u}});
  const auto first_step = [&](auto change) {
    FitOptions options{.epochs = 1, .samples = paths, .execution = {Device::reference(), 1}};
    change(options);
    return fit(latent, options, repeated({static_cast<float>(y)}, 1)).history[0];
  };
  const EpochRecord none = first_step([](FitOptions& o) { o.energy_weight = 0; });
  const double reconstruction = (y - u) / variance;
  EXPECT_NEAR(none.gradient_norm, reconstruction, 4 / (variance * std::sqrt(double{paths})));
  for (const double weight : {0.25, 1.0, 6.0}) {
    const EpochRecord one = first_step([&](FitOptions& o) { o.energy_weight = weight; });
    EXPECT_NEAR(one.gradient_norm, std::abs(none.gradient_norm - weight * u), 1e-5) << weight;
    EXPECT_EQ(one.elbo, none.elbo);
    EXPECT_EQ(one.energy, none.energy);
    const EpochRecord annealed =
        first_step([&](FitOptions& o) { o.energy_weight = weight, o.annealing_epochs = 2; });
    EXPECT_EQ(annealed.gradient_norm, none.gradient_norm);
  }
}

/// y = 2 + X_1 + noise for two numbers: what a few steps of a learned start and scale improve a
/// lot.
struct ShortRun {
  LatentModel latent;
  Dataset data;

  explicit ShortRun(std::size_t rows) {
    latent.model = {.state = 2,
                    .grid = uniform_grid(1.0, 8),
                    .initial = LearnedInitial{},
                    .drift = Mlp{.hidden = {16}},
                    .diffusion = ConstantDiffusion{.value = {0, 0}, .output = Activation::softplus},
                    .control = FeedbackControl{.net = Mlp{.hidden = {16}}, .context = 2}};
    latent.encoder = IdentityEncoder{};
    latent.likelihood = Gaussian{.scale = 0.1, .learned = true};
    latent.observed = 2;
    data = {.count = rows, .times = 1, .dimension = 2, .values = {}};
    for (std::size_t i = 0; i < 2 * rows; ++i)
      data.values.push_back(static_cast<float>(
          (i % 2 == 0 ? 2.0 : -1.0) + standard_normal(11, i, 0, 0, NoiseStream::observation)));
  }
};

// By default, with one or two minibatches an epoch: an average over all steps is worse by tens of
// nats.
TEST(Fit, TheAverageOfAShortRunIsAsGoodAsTheLastParameters) {
  for (const std::size_t rows : {80, 200}) {
    const ShortRun run(rows);
    for (const std::size_t epochs : {25, 100}) {
      const FitResult result = fit(run.latent, {.epochs = epochs}, run.data);
      const EvaluateOptions precise{.samples = 64, .seed = 3};
      const Evaluation average = evaluate(run.latent, result.average, precise, run.data);
      const Evaluation last = evaluate(run.latent, result.last, precise, run.data);
      EXPECT_GT(average.elbo, last.elbo - last.elbo_error) << rows << " rows, " << epochs;
      EXPECT_GT(average.iwae, last.iwae - last.iwae_error) << rows << " rows, " << epochs;
    }
  }
}

TEST(Fit, HistoryTellsTheSchedule) {
  const Problem problem;
  std::vector<Progress> seen;
  const FitResult result = fit(problem.latent, quick(), problem.training, {},
                               [&](const Progress& progress) { seen.push_back(progress); });
  ASSERT_EQ(seen.size(), 4u);
  for (std::size_t e = 0; e < 4; ++e) {
    EXPECT_EQ(seen[e].record.epoch, e + 1);
    EXPECT_EQ(seen[e].epochs, 4u);
    EXPECT_GT(seen[e].path_steps_per_second, 0);
    EXPECT_TRUE(std::isnan(seen[e].record.held_out_elbo));
    EXPECT_GT(seen[e].record.gradient_norm, 0);
    EXPECT_EQ(seen[e].record.elbo, result.history[e].elbo);
  }
  EXPECT_NEAR(result.history.back().learning_rate, 0.02 * 0.01, 1e-12);
  EXPECT_EQ(seen.back().seconds_left, 0);
}

TEST(Fit, ResultsDoNotDependOnTheNumberOfThreads) {
  const LatentModel latent = full_model(Binomial{3});
  const Dataset data = counts(50, 2, 5);
  FitOptions options = quick();
  options.epochs = 2;
  options.execution.threads = 1;
  const FitResult one = fit(latent, options, data, data);
  options.execution.threads = 3;
  const FitResult three = fit(latent, options, data, data);
  EXPECT_TRUE(std::ranges::equal(one.parameters.values(), three.parameters.values()));
  EXPECT_EQ(one.history.back().elbo, three.history.back().elbo);
  EXPECT_EQ(one.history.back().held_out_iwae, three.history.back().held_out_iwae);
}

TEST(Fit, SeedsDecideTheResult) {
  const Problem problem;
  FitOptions options = quick();
  options.epochs = 1;
  const FitResult first = fit(problem.latent, options, problem.training);
  EXPECT_TRUE(
      std::ranges::equal(first.parameters.values(),
                         fit(problem.latent, options, problem.training).parameters.values()));
  options.seed = 2;
  EXPECT_FALSE(
      std::ranges::equal(first.parameters.values(),
                         fit(problem.latent, options, problem.training).parameters.values()));
}

// With a learning rate too small to move anything, every epoch sees the same parameters, and the
// mean over its minibatches, a short last one included, is the mean over the data.
TEST(Fit, AnEpochVisitsEveryRowOnce) {
  LatentModel latent = brownian(1, 1, 1.0, ConstantControl{}, 1e-6);  // X_1 = 0 but for rounding
  const Dataset data{.count = 7, .times = 1, .dimension = 1, .values = {0, 1, 2, 3, 4, 5, 6}};
  FitOptions options{.epochs = 3, .batch = 3, .learning_rate = 1e-30};
  double expected = 0;
  for (const float y : data.values) expected -= brownian_surprise({y}, 1.0, 0.0) / 7;
  for (const EpochRecord& record : fit(latent, options, data).history)
    EXPECT_NEAR(record.elbo, expected, 1e-4);
  options.batch = 7;  // then every epoch's gradient is ∂x/∂u = 1e-6 times the mean of y
  for (const EpochRecord& record : fit(latent, options, data).history)
    EXPECT_NEAR(record.gradient_norm, 3e-6, 1e-10);
}

// Adam moves by the learning rate whatever the gradient's size, so clipping shows in the second
// step, and in the reported norm not at all.
TEST(Fit, ClippingBoundsTheStepsAndNotTheReportedNorm) {
  const Problem problem;
  FitOptions options = quick();
  options.epochs = 1;
  const FitResult free = fit(problem.latent, options, problem.training);
  options.clip_norm = 0;
  const FitResult never = fit(problem.latent, options, problem.training);
  EXPECT_TRUE(std::ranges::equal(free.parameters.values(), never.parameters.values()));
  EXPECT_LT(free.history[0].gradient_norm, 10);
  options.clip_norm = 0.05;
  const FitResult clipped = fit(problem.latent, options, problem.training);
  EXPECT_FALSE(std::ranges::equal(clipped.parameters.values(), never.parameters.values()));
  EXPECT_GT(clipped.history[0].gradient_norm, 0.1);
}

TEST(Fit, TooManyNonFinitePathsStopTraining) {
  LatentModel latent = brownian(1, 4, 1.0, ConstantControl{}, 10.0);
  latent.model.initial = LearnedInitial{{80.0}};
  latent.likelihood = Poisson{};
  FitOptions options{.epochs = 2, .batch = 8};
  try {
    fit(latent, options, repeated({3.0f}, 16));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("of 128 paths not finite"), std::string::npos)
        << error.what();
  }
  options.non_finite_limit = 1.0;
  EXPECT_GT(fit(latent, options, repeated({3.0f}, 16)).history[0].non_finite, 0u);
}

/// What a fit of `run` by `options` is refused with.
std::string complaint_of(const ShortRun& run, const FitOptions& options,
                         const Dataset& held_out = {}) {
  try {
    fit(run.latent, options, run.data, held_out);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

// Whether or not the row's paths are too many of its step's; nothing that the learning rate does
// would bring them back.
TEST(Fit, ARowNoPathCanExplainIsNamedAtOnce) {
  for (const std::size_t rows : {81, 200}) {
    ShortRun run(rows);
    run.data.values[2 * 80 + 1] = 1e30f;
    const std::string complaint = complaint_of(run, {.epochs = 2});
    EXPECT_TRUE(complaint.starts_with("fit: epoch 1, step ")) << complaint;
    for (const std::string& part :
         {"data row 81 of " + std::to_string(rows), std::string("1e+30 in column 2")})
      EXPECT_NE(complaint.find(part), std::string::npos) << complaint;
    EXPECT_EQ(complaint.find("learning_rate"), std::string::npos) << complaint;
  }
}

TEST(Fit, OfManySuchRowsTheFirstOnesAreNamedAndTheRestCounted) {
  ShortRun run(60);
  for (const std::size_t row : {3, 9, 21, 40, 44}) run.data.values[2 * row] = -1e30f;
  const std::string complaint = complaint_of(run, {.epochs = 1});
  EXPECT_NE(complaint.find("and 2 more of 60"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find("-1e+30 in column 1"), std::string::npos) << complaint;
}

TEST(Fit, WhereNoRowHasAFinitePathTheModelIsToBlameAndNotTheLearningRate) {
  ShortRun run(20);
  for (float& y : run.data.values) y *= 1e30f;
  const std::string complaint = complaint_of(run, {.epochs = 1});
  EXPECT_NE(complaint.find("320 of 320 paths not finite"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find("data of a smaller scale"), std::string::npos) << complaint;
  EXPECT_EQ(complaint.find("learning_rate"), std::string::npos) << complaint;
}

TEST(Fit, ARowOfTheHeldOutDataIsNamedAsSuch) {
  const ShortRun run(20);
  Dataset held_out = ShortRun(10).data;
  held_out.values[7] = 1e30f;
  const std::string complaint = complaint_of(run, {.epochs = 1}, held_out);
  EXPECT_NE(complaint.find("held-out data: evaluate: data row 4"), std::string::npos) << complaint;
}

TEST(ConsoleProgress, WritesALineAnEpochWhereThereIsNoTerminal) {
  const EpochRecord record{.epoch = 2, .elbo = -31.25, .held_out_elbo = -32.5, .held_out_ess = 7.5};
  testing::internal::CaptureStderr();
  const ProgressCallback progress = console_progress();
  progress({.record = record,
            .epochs = 4,
            .path_steps_per_second = 1.25e6,
            .seconds = 60,
            .seconds_left = 130});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "██████████░░░░░░░░░░ 2/4  elbo -31.250  held out -32.500  ess 7.5  "
            "1.2M path-steps/s  2:10 min left\n");
}

TEST(Fit, RefusesEveryBadOptionByName) {
  const Problem problem(4);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto complaint = [&](auto change) {
    FitOptions options = quick();
    change(options);
    try {
      fit(problem.latent, options, problem.training);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto expect = [&](const std::string& field, auto change) {
    EXPECT_EQ(complaint(change).substr(0, field.size() + 5), "fit." + field + ":");
  };
  expect("epochs", [](FitOptions& o) { o.epochs = 0; });
  expect("batch", [](FitOptions& o) { o.batch = 0; });
  expect("samples", [](FitOptions& o) { o.samples = 0; });
  expect("held_out_samples", [](FitOptions& o) { o.held_out_samples = 0; });
  expect("checkpoint_every", [](FitOptions& o) { o.checkpoint_every = 0; });
  expect("learning_rate", [](FitOptions& o) { o.learning_rate = 0; });
  expect("learning_rate", [&](FitOptions& o) { o.learning_rate = nan; });
  expect("warmup_epochs", [](FitOptions& o) { o.warmup_epochs = -1; });
  expect("clip_norm", [](FitOptions& o) { o.clip_norm = -1; });
  expect("annealing_epochs", [&](FitOptions& o) { o.annealing_epochs = nan; });
  expect("averaging", [](FitOptions& o) { o.averaging = 1; });
  expect("energy_weight", [](FitOptions& o) { o.energy_weight = -1; });
  expect("energy_weight", [&](FitOptions& o) { o.energy_weight = nan; });
  expect("annealing_cycles", [](FitOptions& o) { o.annealing_cycles = 0; });
  EXPECT_EQ(complaint([](FitOptions& o) { o.annealing_cycles = 3; }),
            "fit.annealing_cycles: got 3 without annealing; accepted: 1, or fit.annealing_epochs "
            "above 0");
  for (const double decay : {0.0, 1.1, nan})
    expect("decay", [&](FitOptions& o) { o.schedule = Schedule::exponential, o.decay = decay; });
  EXPECT_EQ(complaint([](FitOptions& o) { o.decay = 0.9; }),
            "fit.decay: got 0.9 with the schedule cosine; accepted: the schedule exponential");
  expect("patience", [](FitOptions& o) { o.patience = std::size_t{1} << 31; });
  expect("non_finite_limit", [](FitOptions& o) { o.non_finite_limit = 1.5; });
  EXPECT_TRUE(
      complaint([](FitOptions& o) { o.execution.threads = -1; }).starts_with("threads: got -1"));
  expect("resume", [](FitOptions& o) { o.resume = true; });
}

TEST(Fit, KeepsFixedTensorsAndStartsWhereItIsTold) {
  const LatentModel latent = full_model(Gaussian{});
  const Parameters start = scattered(latent, 9);
  const Dataset data = counts(24, 2, 5);
  const FitResult result = fit(latent,
                               {.epochs = 1,
                                .batch = 8,
                                .averaging = 0,
                                .fixed = {"drift", "decoder.0.bias"},
                                .start = start},
                               data);
  for (const Tensor& tensor : start.tensors()) {
    const auto before = start[tensor.name], after = result.parameters[tensor.name];
    const bool fixed = tensor.name.starts_with("drift.") || tensor.name == "decoder.0.bias";
    EXPECT_EQ(std::ranges::equal(before, after), fixed) << tensor.name;
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 0.02);
  }
  EXPECT_THROW(fit(latent, {.epochs = 1, .fixed = {"drif"}}, data), Error);
  EXPECT_THROW(fit(latent,
                   {.epochs = 1,
                    .start = zero_parameters(Model{.grid = {0, 1}, .initial = LearnedInitial{}})},
                   data),
               Error);
}

}  // namespace
}  // namespace ito::test
