#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/series_fit.hpp"
#include "study/study.hpp"

// Walks of subject 35, as Li et al. (2020) predict them: the first frames seen, the rest forecast.
namespace ito::lab::study {
namespace {

struct MocapSetup {
  const char* name;
  std::size_t seen;  ///< frames, of 300
};
constexpr MocapSetup setups[] = {{"3 frames seen, 297 predicted", 3},
                                 {"200 frames seen, 100 predicted", 200}};

struct MocapScores {
  std::vector<double> validation, test, single;  ///< mean squared errors, over seeds
};

FittedSeries fit_walks(const MotionCapture& data, std::uint64_t seed, const Settings& settings,
                       const Share& share) {
  SeriesModel model = series_model({.state = 6,
                                    .hidden = 30,
                                    .context = 3,
                                    .encoder_hidden = 32,
                                    .noise = 0.1,
                                    .scale = 0.5,
                                    .longest_step = 0.01},
                                   data.training.dimension());
  model.latent.model.grid = {0, 3};
  return fit_series(std::move(model),
                    {.epochs = settings.scaled(800),
                     .batch = 16,
                     .samples = 8,
                     .learning_rate = 0.01,
                     .warmup_epochs = 10,
                     .annealing_epochs = 100,
                     .seed = seed},
                    {data.training, data.validation}, true, "walks", share);
}

double frame_time(const SeriesDataset& data, std::size_t frame) {
  return data.series[0].times[frame - 1];
}

SeriesScores score_walks(const FittedSeries& fitted, const SeriesDataset& data, std::size_t seen,
                         std::uint64_t seed, const Settings& settings) {
  const SeriesSplit cut = split_after(data, frame_time(data, seen));
  return score_forecasts(fitted.model, fitted.parameters, cut.first, cut.second,
                         {.samples = 64, .seed = seed, .execution = settings.host()});
}

/// Mean and half the 95 % interval over seeds, by Student's t.
std::string interval(const std::vector<double>& values) {
  constexpr double t[] = {12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  const Spread all = spread(values);
  const std::size_t freedom = values.size() - 1;
  const double factor = freedom == 0 ? std::nan("") : freedom <= 9 ? t[freedom - 1] : 2.1;
  return plus_minus(all.mean, factor * all.error, 2);
}

}  // namespace

Part motion_capture(const Settings& settings) {
  Part part{.name = "mocap",
            .title = "Walking: how well are 50 joint angles predicted?",
            .findings = {},
            .text = {},
            .figures = {},
            .tables = {},
            .numbers = {}};
  if (settings.mocap.empty()) {
    part.findings.push_back("Walks: left out; --mocap FOLDER says where mocap35_*.npy are.");
    return part;
  }
  const MotionCapture data = read_mocap(settings.mocap);
  MocapScores scores[std::size(setups)];
  std::vector<double> seconds;
  for (std::size_t s = 0; s < settings.seeds; ++s) {
    const auto of = static_cast<double>(settings.seeds), at = static_cast<double>(s) / of;
    const std::uint64_t seed = settings.seed + s;
    const FittedSeries fitted = fit_walks(data, seed, settings, {settings, at, at + 1 / of});
    seconds.push_back(fitted.seconds);
    for (std::size_t k = 0; k < std::size(setups); ++k) {
      scores[k].validation.push_back(
          score_walks(fitted, data.validation, setups[k].seen, seed, settings).mean.mse);
      const SeriesScores test = score_walks(fitted, data.test, setups[k].seen, seed, settings);
      scores[k].test.push_back(test.mean.mse);
      scores[k].single.push_back(test.mean.sample_mse);
    }
  }
  part.text.push_back(
      "16 walks to train with, 3 to validate with, 4 to test with, of 300 frames of 50 numbers "
      "(Gan "
      "et al. 2015; Li et al. 2020). One model for both set-ups: the posterior of the frames seen, "
      "then the prior.");
  Table table{.title = fmt::format("Mean squared error of a number, mean ± 95 % interval over {} "
                                   "seeds",
                                   settings.seeds),
              .header = {"", "test, mean of 64 paths", "test, single paths", "validation",
                         "last frame seen", "columns' means"},
              .rows = {}};
  for (std::size_t k = 0; k < std::size(setups); ++k) {
    const SeriesSplit cut = split_after(data.test, frame_time(data.test, setups[k].seen));
    const BaselineErrors baseline = baseline_errors(data.training, cut.first, cut.second);
    table.rows.push_back({setups[k].name, interval(scores[k].test), interval(scores[k].single),
                          interval(scores[k].validation), number(baseline.last_value, 2),
                          number(baseline.training_mean, 2)});
    part.numbers[setups[k].name] = {{"test_mse", scores[k].test},
                                    {"test_sample_mse", scores[k].single},
                                    {"validation_mse", scores[k].validation},
                                    {"last_value_mse", baseline.last_value},
                                    {"columns_means_mse", baseline.training_mean}};
    part.findings.push_back(fmt::format("Walks, {}: test MSE {}, the columns' means {}.",
                                        setups[k].name, interval(scores[k].test),
                                        number(baseline.training_mean, 2)));
  }
  part.numbers["fit_seconds"] = seconds;
  part.tables.push_back(std::move(table));
  return part;
}

}  // namespace ito::lab::study
