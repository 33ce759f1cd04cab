#include <array>
#include <vector>

#include <fmt/format.h>
#include <ito/averages.hpp>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/series_fit.hpp"
#include "study/study.hpp"

// Swings of a pendulum with gaps: which encoder reads them best, and what forecasts and imputations
// are worth.
namespace ito::lab::study {
namespace {

constexpr double after = 3.5;   ///< forecasts begin here, of 5
constexpr double hidden = 0.3;  ///< fraction of the numbers hidden for imputations

struct EncoderKind {
  std::string name;
  Encoder encoder;
};
std::vector<EncoderKind> encoder_kinds() {
  return {{"GRU", GruEncoder{.hidden = 24, .initial = true}},
          {"GRU with decay", GruEncoder{.hidden = 24, .decay = true, .initial = true}},
          {"attention", AttentionEncoder{.hidden = 24, .initial = true}}};
}

/// Over seeds.
struct EncoderResults {
  std::vector<double> bound, forecast, crps, coverage, imputation, ess, seconds;
};

struct PendulumData {
  SeriesSplit training;  ///< to train with, and to say when to end
  SeriesDataset held_out;
  SeriesSplit cut, gaps;  ///< of the held-out ones
};
PendulumData draw_pendulum(const Settings& settings) {
  PendulumData data;
  const std::size_t training = settings.scaled(192, 48);
  const SeriesDataset all = sample_pendulum({}, {.series = training + 96,
                                                 .times = 100,
                                                 .horizon = 5,
                                                 .gap = 0.25,
                                                 .missing = 0.1,
                                                 .seed = 11});
  data.training = {all.slice(0, training), all.slice(training, training + 32)};
  data.held_out = all.slice(training + 32, training + 96);
  data.cut = split_after(data.held_out, after);
  data.gaps = hide_values(data.held_out, hidden, 1);
  return data;
}

void run_encoder(const EncoderKind& kind, const PendulumData& data, std::uint64_t seed,
                 const Settings& settings, const Share& share, EncoderResults& results) {
  SeriesModel model = series_model({.longest_step = 0.1}, 2);
  model.latent.encoder = kind.encoder;
  model.latent.decoder = MlpDecoder{};  // affine: where the bob is can be coordinates of the state
  const FittedSeries fitted = fit_series(std::move(model),
                                         {.epochs = 200,
                                          .batch = 32,
                                          .samples = 4,
                                          .objective = Objective::sticking_the_landing,
                                          .learning_rate = 0.01,
                                          .annealing_epochs = 15,
                                          .seed = seed,
                                          .patience = 200},
                                         data.training, true, kind.name, share);
  const auto [latent, rows] = latent_series(fitted.model, data.held_out);
  const Evaluation bounds = evaluate(
      latent, fitted.parameters,
      {.samples = 128, .seed = seed, .execution = settings.host(), .non_finite_limit = 0.01}, rows);
  const SeriesScores forecasts =
      score_forecasts(fitted.model, fitted.parameters, data.cut.first, data.cut.second,
                      {.samples = 256, .seed = seed, .execution = settings.host()});
  const SeriesScores imputations =
      score_imputations(fitted.model, fitted.parameters, data.gaps.first, data.gaps.second,
                        {.samples = 256, .seed = seed, .execution = settings.host()});
  results.bound.push_back(bounds.iwae);
  results.ess.push_back(bounds.ess);
  results.forecast.push_back(forecasts.mean.mse);
  results.crps.push_back(forecasts.mean.crps);
  results.coverage.push_back(forecasts.mean.coverage[1]);
  results.imputation.push_back(imputations.mean.mse);
  results.seconds.push_back(fitted.seconds);
}

std::string cell(const std::vector<double>& values, int digits) {
  const Spread all = spread(values);
  return plus_minus(all.mean, all.error, digits);
}

}  // namespace

Part series_encoders(const Settings& settings) {
  const PendulumData data = draw_pendulum(settings);
  const BaselineErrors later =
                           baseline_errors(data.training.first, data.cut.first, data.cut.second),
                       missing =
                           baseline_errors(data.training.first, data.gaps.first, data.gaps.second);
  const std::vector<EncoderKind> kinds = encoder_kinds();
  Table table{.title = fmt::format("{} held-out swings; mean ± standard error over {} seeds",
                                   data.held_out.count(), settings.seeds),
              .header = {"", "bound, nats a series", "ESS of 128", "forecast MSE", "CRPS",
                         "in the 90 % band", "imputation MSE", "seconds to fit"},
              .rows = {}};
  Part part{.name = "encoders",
            .title = "A pendulum with gaps: which encoder, and what are forecasts worth?",
            .findings = {},
            .text = {fmt::format(
                "{} swings at up to 100 irregular times in [0, 5], a quarter of the range without "
                "any, a tenth of the numbers missing. Forecasts are of what comes after {}, "
                "imputations of {:.0f} % of the numbers, hidden.",
                data.training.first.count(), after, 100 * hidden)},
            .figures = {},
            .tables = {},
            .numbers = {}};
  double best = 0;
  std::string best_name;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    EncoderResults results;
    for (std::size_t s = 0; s < settings.seeds; ++s) {
      const double runs = static_cast<double>(kinds.size() * settings.seeds),
                   at = static_cast<double>(k * settings.seeds + s) / runs;
      run_encoder(kinds[k], data, settings.seed + s, settings, {settings, at, at + 1 / runs},
                  results);
    }
    table.rows.push_back({kinds[k].name, cell(results.bound, 1), cell(results.ess, 0),
                          cell(results.forecast, 3), cell(results.crps, 3),
                          cell(results.coverage, 2), cell(results.imputation, 4),
                          cell(results.seconds, 0)});
    part.numbers[kinds[k].name] = {
        {"bound", results.bound},           {"ess", results.ess},
        {"forecast_mse", results.forecast}, {"crps", results.crps},
        {"coverage_90", results.coverage},  {"imputation_mse", results.imputation},
        {"seconds", results.seconds}};
    const double mse = spread(results.forecast).mean;
    if (best_name.empty() || mse < best) best = mse, best_name = kinds[k].name;
  }
  const auto baseline_row = [&](const char* title, double forecast, double imputation) {
    table.rows.push_back({title, "", "", number(forecast), "", "", number(imputation, 4), ""});
  };
  baseline_row("the last value seen", later.last_value, missing.last_value);
  baseline_row("the columns' means", later.training_mean, missing.training_mean);
  part.numbers["last_value"] = {{"forecast_mse", later.last_value},
                                {"imputation_mse", missing.last_value}};
  part.numbers["columns_means"] = {{"forecast_mse", later.training_mean},
                                   {"imputation_mse", missing.training_mean}};
  part.tables.push_back(std::move(table));
  part.findings.push_back(fmt::format(
      "Pendulum: the best forecasts are by {}, MSE {} where the columns' means have {}.", best_name,
      number(best), number(later.training_mean)));
  return part;
}

}  // namespace ito::lab::study
