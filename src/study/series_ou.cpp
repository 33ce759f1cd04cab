#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <ito/averages.hpp>
#include <ito/error.hpp>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/series_fit.hpp"
#include "study/study.hpp"

// Irregular, gappy series of an Ornstein–Uhlenbeck process: are its parameters found, and does σ
// collapse?
namespace ito::lab::study {
namespace {

constexpr OrnsteinUhlenbeck truth{
    .dimension = 1, .rate = 1.0, .mean = 0.5, .std = 1.0, .observation_std = 0.4};

SeriesDataset draw(std::uint64_t seed) {
  return sample_linear(
      linear_model(truth),
      {.series = 100, .times = 10, .horizon = 2, .gap = 0.2, .missing = 0.1, .seed = seed});
}

/// The model that the data are drawn from, up to its Euler steps, whose posterior is learned. Steps
/// are so short because a control only moves the mean of a step: the posterior's of the step before
/// an observation also has less variance, by s² / (s² + σ² h), which σ would otherwise pay for.
SeriesModel ou_model() {
  SeriesModel model =
      series_model({.state = 1, .context = 16, .encoder_hidden = 32, .longest_step = 0.025}, 1);
  model.latent.model.drift = Mlp{.hidden = {}, .time = false};
  model.latent.model.control =
      FeedbackControl{.net = {.hidden = {32, 32}, .activation = Activation::silu}, .context = 16};
  model.latent.decoder = IdentityDecoder{};
  model.latent.likelihood = Gaussian{.scale = 0.5, .learned = true};
  return model;
}

/// What is to be found, as the model has it.
struct Target {
  const char* tensor;
  const char* name;
  double truth;
};
const std::array targets{
    Target{"drift.0.weight", "−rate", -truth.rate},
    Target{"drift.0.bias", "rate · mean", truth.rate* truth.mean},
    Target{"diffusion.value", "log σ", std::log(truth.std* std::sqrt(2 * truth.rate))},
    Target{"likelihood.log_scale", "log s", std::log(truth.observation_std)}};

/// Each goes on from the one before.
struct Stage {
  const char *name, *title;
  FitOptions options;
};
const std::array stages{
    Stage{"mean bound",
          "Before: the mean bound is maximised, E[log p(y|X) − E]",
          {.epochs = 400,
           .batch = 20,
           .samples = 8,
           .objective = Objective::sticking_the_landing,
           .learning_rate = 0.005}},
    Stage{"importance weighted",
          "After: the model goes on with log of the mean weight of 64 paths, the control with the "
          "mean bound",
          {.epochs = 150,
           .batch = 20,
           .samples = 64,
           .objective = Objective::partially_importance_weighted,
           .learning_rate = 0.01}}};

struct Estimates {
  std::array<Averages, targets.size()> error;        ///< estimate − truth
  std::array<std::size_t, targets.size()> inside{};  ///< 95 % intervals that hold the truth
  std::size_t runs = 0, without_interval = 0;
};

void add_run(Estimates& estimates, const FittedSeries& fitted, const SeriesDataset& data,
             const Settings& settings, std::uint64_t seed) {
  const auto [latent, rows] = latent_series(fitted.model, data);
  ++estimates.runs;
  for (std::size_t k = 0; k < targets.size(); ++k)
    estimates.error[k].add(static_cast<double>(fitted.parameters[targets[k].tensor][0]) -
                           targets[k].truth);
  try {
    const ParameterErrors errors =
        standard_errors(latent, fitted.parameters, rows,
                        {.samples = 256, .seed = seed, .execution = settings.host()});
    for (std::size_t k = 0; k < targets.size(); ++k)
      for (const ParameterError& one : errors.parameters)
        if (one.tensor == targets[k].tensor)
          estimates.inside[k] += std::abs(one.value - targets[k].truth) < 1.96 * one.error;
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("Monte Carlo error") == std::string_view::npos) throw;
    ++estimates.without_interval;  // the information is not positive definite
  }
}

Table table_of(const std::string& title, const Estimates& estimates) {
  Table table{.title = title,
              .header = {"", "truth", "mean error", "spread", "95 % intervals that hold it"},
              .rows = {}};
  for (std::size_t k = 0; k < targets.size(); ++k)
    table.rows.push_back({targets[k].name, number(targets[k].truth),
                          plus_minus(estimates.error[k].mean(), estimates.error[k].error()),
                          number(std::sqrt(estimates.error[k].variance())),
                          fmt::format("{} of {}", estimates.inside[k],
                                      estimates.runs - estimates.without_interval)});
  return table;
}

nlohmann::ordered_json json_of(const Estimates& estimates) {
  nlohmann::ordered_json object{{"runs", estimates.runs},
                                {"without_interval", estimates.without_interval}};
  for (std::size_t k = 0; k < targets.size(); ++k)
    object[targets[k].tensor] = {{"truth", targets[k].truth},
                                 {"mean_error", estimates.error[k].mean()},
                                 {"mean_error_error", estimates.error[k].error()},
                                 {"spread", std::sqrt(estimates.error[k].variance())},
                                 {"inside", estimates.inside[k]}};
  return object;
}

}  // namespace

Part ornstein_uhlenbeck(const Settings& settings) {
  const std::size_t runs =
      std::max<std::size_t>(3, static_cast<std::size_t>(std::lround(100 * settings.effort)));
  std::array<Estimates, stages.size()> found;
  for (std::size_t run = 0; run < runs; ++run) {
    const std::uint64_t seed = settings.seed + run;
    const SeriesDataset data = draw(seed);
    Parameters start;
    for (std::size_t stage = 0; stage < stages.size(); ++stage) {
      const double whole = static_cast<double>(stages.size() * runs),
                   at = static_cast<double>(stages.size() * run + stage) / whole;
      const Share share{settings, at, at + 1 / whole};
      FitOptions options = stages[stage].options;
      options.seed = seed;
      options.start = start;
      const FittedSeries fitted = fit_series(
          ou_model(), options, {data, {}}, false,
          fmt::format("data set {} of {}, {}", run + 1, runs, stages[stage].name), share);
      add_run(found[stage], fitted, data, settings, seed);
      start = fitted.parameters;
    }
  }
  Part part{.name = "ou",
            .title = "Ornstein–Uhlenbeck: are rate, mean, σ and noise found?",
            .findings = {},
            .text = {fmt::format(
                "{} data sets of 100 series with 10 times in [0, 2], a fifth of the range without "
                "any, a tenth of the numbers missing; dX = (b + wX) dt + σ dW from a learned "
                "Gaussian, y = X + s·e, with a GRU's posterior. Intervals are estimates ± 1.96 "
                "standard errors by the information that the series' scores hold.",
                runs)},
            .figures = {},
            .tables = {},
            .numbers = {}};
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    part.tables.push_back(table_of(stages[stage].title, found[stage]));
    part.numbers[std::string(name(stages[stage].options.objective))] = json_of(found[stage]);
    const Averages& sigma = found[stage].error[2];
    part.findings.push_back(fmt::format(
        "{}: σ is off by {} %; its 95 % interval holds the truth in {} of {} data sets.",
        stages[stage].name, plus_minus(100 * std::expm1(sigma.mean()), 100 * sigma.error(), 1),
        found[stage].inside[2], found[stage].runs - found[stage].without_interval));
  }
  return part;
}

}  // namespace ito::lab::study
