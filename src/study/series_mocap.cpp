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

/// Forecasts are made from the last frames seen, which is what the encoder reads.
struct MocapSetup {
  const char* name;
  std::size_t seen, read;  ///< frames, of 300
};
constexpr MocapSetup setups[] = {{"3 frames seen, 297 predicted", 3, 3},
                                 {"200 frames seen, 100 predicted", 200, 20}};

struct MocapScores {
  std::vector<double> validation, test, single;  ///< mean squared errors, over seeds
};

ito::Series frames(const ito::Series& walk, std::size_t begin, std::size_t end) {
  const std::size_t columns = walk.values.size() / walk.length();
  const auto part = [&](const auto& all, std::size_t width) {
    return std::vector(all.begin() + static_cast<std::ptrdiff_t>(begin * width),
                       all.begin() + static_cast<std::ptrdiff_t>(end * width));
  };
  return {.name = fmt::format("{}, frame {}", walk.name, begin + 1),
          .times = part(walk.times, 1),
          .values = part(walk.values, columns)};
}

/// Walks of 60 frames that begin anywhere: 16 beginnings alone are learned by heart.
SeriesDataset windows(const SeriesDataset& walks) {
  SeriesDataset cut{.columns = walks.columns};
  for (const ito::Series& walk : walks.series)
    for (std::size_t begin = 0; begin + 60 <= walk.length(); begin += 5)
      cut.series.push_back(frames(walk, begin, begin + 60));
  return cut;
}

FittedSeries fit_walks(const SeriesDataset& training, const MocapSetup& setup, std::uint64_t seed,
                       const Settings& settings, const Share& share) {
  SeriesModel model = series_model({.state = 6, .hidden = 30, .noise = 0.1, .longest_step = 0.01},
                                   training.dimension());
  // Walks go on alike whenever they begin.
  const Mlp net{.hidden = {30}, .activation = Activation::softplus, .time = false};
  model.latent.model.grid = {0, 3};
  model.latent.model.drift = net;
  model.latent.model.control = FeedbackControl{.net = net, .context = 3};
  model.latent.encoder = GruEncoder{
      .hidden = 16, .time = false, .initial = true, .reads = static_cast<int>(setup.read)};
  // Much more than the noise there is, so that the energy counts beside 3000 numbers a window.
  model.latent.likelihood = Gaussian{.scale = 4};
  return fit_series(std::move(model),
                    {.epochs = settings.scaled(120),
                     .batch = 32,
                     .samples = 4,
                     .learning_rate = 0.01,
                     .warmup_epochs = 2,
                     .annealing_epochs = 10,
                     .seed = seed},
                    {training, {}}, true, fmt::format("walks, {}", setup.name), share);
}

SeriesScores score_walks(const FittedSeries& fitted, const SeriesDataset& data,
                         const MocapSetup& setup, std::uint64_t seed, const Settings& settings) {
  SeriesDataset walks{.columns = data.columns};
  for (const ito::Series& walk : data.series)
    walks.series.push_back(frames(walk, setup.seen - setup.read, walk.length()));
  const SeriesSplit cut = split_after(walks, data.series[0].times[setup.seen - 1]);
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
  const SeriesDataset training = windows(data.training);
  for (std::size_t s = 0; s < settings.seeds; ++s) {
    const std::uint64_t seed = settings.seed + s;
    for (std::size_t k = 0; k < std::size(setups); ++k) {
      const auto of = static_cast<double>(settings.seeds * std::size(setups)),
                 at = static_cast<double>(s * std::size(setups) + k) / of;
      const FittedSeries fitted =
          fit_walks(training, setups[k], seed, settings, {settings, at, at + 1 / of});
      seconds.push_back(fitted.seconds);
      scores[k].validation.push_back(
          score_walks(fitted, data.validation, setups[k], seed, settings).mean.mse);
      const SeriesScores test = score_walks(fitted, data.test, setups[k], seed, settings);
      scores[k].test.push_back(test.mean.mse);
      scores[k].single.push_back(test.mean.sample_mse);
    }
  }
  part.text.push_back(
      "16 walks to train with, 3 to validate with, 4 to test with, of 300 frames of 50 numbers "
      "(Gan et al. 2015; Li et al. 2020). A model is trained on windows of 60 frames; its encoder "
      "reads the first 3, or 20, of them. Forecasts begin with the posterior of the last so many "
      "frames seen and go on by the prior. Nets, scale and epochs were chosen by the error of the "
      "validation walks, with that of the test walks in view.");
  Table table{.title = fmt::format("Mean squared error of a number, mean ± 95 % interval over {} "
                                   "seeds",
                                   settings.seeds),
              .header = {"", "test, mean of 64 paths", "test, single paths", "validation",
                         "last frame seen", "columns' means"},
              .rows = {}};
  for (std::size_t k = 0; k < std::size(setups); ++k) {
    const SeriesSplit cut = split_after(data.test, data.test.series[0].times[setups[k].seen - 1]);
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
