#include <algorithm>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/series_fit.hpp"
#include "study/study.hpp"

// The stochastic Lorenz attractor of Li et al. (2020): are generated attractors like real ones?
namespace ito::lab::study {
namespace {

struct LorenzRun {
  double bound = 0;
  double distance = 0;  ///< of generated to held-out attractors
  double before = 0;    ///< the same without training
  double iterations_per_second = 0;
};

SeriesDataset generated(const FittedSeries& fitted, const Parameters& parameters,
                        const SeriesDataset& like, std::uint64_t seed, const Settings& settings) {
  return sample_series(fitted.model, parameters, like.series[0].times, like.count(),
                       {.seed = seed, .execution = settings.host()});
}

LorenzRun run_lorenz(const SeriesSplit& data, std::uint64_t seed, const Settings& settings,
                     const Share& share) {
  SeriesModel model = series_model({.state = 4,
                                    .hidden = 64,
                                    .context = 16,
                                    .encoder_hidden = 48,
                                    .scale = 0.1,
                                    .longest_step = 0.0125},
                                   3);
  const Mlp net{.hidden = {64, 64}, .activation = Activation::silu};
  model.latent.model.drift = Mlp{.hidden = net.hidden, .activation = net.activation, .time = false};
  model.latent.model.control = FeedbackControl{.net = net, .context = 16};
  const FittedSeries fitted =
      fit_series(std::move(model),
                 {.epochs = settings.scaled(200, 64),
                  .batch = std::min<std::size_t>(128, data.first.count() / 4),
                  .samples = 2,
                  .objective = Objective::sticking_the_landing,
                  .learning_rate = 0.005,
                  .annealing_epochs = 10,
                  .seed = seed},
                 data, false, "Lorenz", share);
  const auto [latent, rows] = latent_series(fitted.model, data.second);
  LorenzRun run;
  run.bound =
      evaluate(
          latent, fitted.parameters,
          {.samples = 64, .seed = seed, .execution = settings.host(), .non_finite_limit = 0.01},
          rows)
          .iwae;
  run.distance = energy_distance(generated(fitted, fitted.parameters, data.second, seed, settings),
                                 data.second);
  run.before = energy_distance(
      generated(fitted, initialize(latent, seed), data.second, seed, settings), data.second);
  run.iterations_per_second = fitted.iterations_per_second;
  return run;
}

}  // namespace

Part lorenz(const Settings& settings) {
  const std::size_t training = settings.scaled(1024, 128), held_out = 256;
  const SeriesDataset all = sample_lorenz(
      {}, {.series = training + held_out, .times = 41, .irregular = false, .seed = 3});
  const SeriesSplit data{all.slice(0, training), all.slice(training, training + held_out)};
  std::vector<double> bound, distance, before, rate;
  for (std::size_t s = 0; s < settings.seeds; ++s) {
    const auto of = static_cast<double>(settings.seeds), at = static_cast<double>(s) / of;
    const LorenzRun run =
        run_lorenz(data, settings.seed + s, settings, {settings, at, at + 1 / of});
    bound.push_back(run.bound);
    distance.push_back(run.distance);
    before.push_back(run.before);
    rate.push_back(run.iterations_per_second);
  }
  // Two real sets of the held-out size: what a perfect model comes to.
  const double floor =
      energy_distance(data.first.slice(0, std::min(held_out, training / 2)), data.second);
  const auto cell = [](const std::vector<double>& values, int digits) {
    const Spread all_runs = spread(values);
    return plus_minus(all_runs.mean, all_runs.error, digits);
  };
  Part part{.name = "lorenz",
            .title = "A stochastic Lorenz attractor: are generated ones like real ones?",
            .findings = {fmt::format(
                "Lorenz: generated attractors are at an energy distance of {} from real ones, "
                "untrained ones at {}; two sets of real ones at {}.",
                cell(distance, 3), cell(before, 3), number(floor))},
            .text = {fmt::format(
                "{} attractors at 0, 0.025, …, 1 in three coordinates, each normalized over the "
                "data, observed with noise of 0.01 (Li, Wong, Chen & Duvenaud 2020); {} held out.",
                training, held_out)},
            .figures = {},
            .tables = {{.title = fmt::format("Mean ± standard error over {} seeds", settings.seeds),
                        .header = {"", ""},
                        .rows = {{"bound, nats a series", cell(bound, 1)},
                                 {"energy distance, generated", cell(distance, 3)},
                                 {"energy distance, untrained", cell(before, 3)},
                                 {"energy distance, real", number(floor)},
                                 {"training steps a second, 2 paths a series", cell(rate, 1)}}}},
            .numbers = {{"bound", bound},
                        {"energy_distance", distance},
                        {"energy_distance_untrained", before},
                        {"energy_distance_real", floor},
                        {"steps_per_second", rate}}};
  return part;
}

}  // namespace ito::lab::study
