#include <cmath>
#include <string>

#include <ito/ito.hpp>

#include "model/check.hpp"
#include "rows.hpp"

namespace bench {
namespace {

constexpr std::size_t count = 1024;
constexpr int times = 100;
constexpr double horizon = 2;

/// The sizes of torchsde's example latent_sde_lorenz.py: a state of 4, nets of 128 units and
/// softplus in two layers, a GRU of 128 and a context of 64. σ is one net of all coordinates where
/// the example has one for each.
ito::SeriesModel lorenz_model() {
  const ito::Mlp net{.hidden = {128, 128}, .activation = ito::Activation::softplus};
  ito::SeriesModel model;
  model.latent.model = {
      .state = 4,
      .grid = {0, horizon},
      .initial = ito::GaussianInitial{},
      .drift = net,
      .diffusion = ito::DiagonalDiffusion{.net = {.hidden = {128},
                                                  .activation = ito::Activation::softplus,
                                                  .output = ito::Activation::sigmoid}},
      .control = ito::DriftControl{.net = net, .context = 64}};
  model.latent.observed = 3;
  model.latent.encoder = ito::GruEncoder{.hidden = 128, .time = false, .initial = true};
  model.latent.decoder = ito::MlpDecoder{};
  model.latent.likelihood = ito::Gaussian{.scale = 0.01};
  model.longest_step = horizon / (2 * (times - 1));  // two steps an interval, 198
  return model;
}

/// What is in the series makes no step longer.
ito::SeriesDataset some_series() {
  ito::SeriesDataset data{.columns = {"x", "y", "z"}, .input_columns = {}, .series = {}};
  for (std::size_t i = 0; i < count; ++i) {
    ito::Series one{.name = std::to_string(i + 1)};
    for (int t = 0; t < times; ++t) {
      one.times.push_back(horizon * t / (times - 1));
      for (std::size_t j = 0; j < 3; ++j)
        one.values.push_back(
            static_cast<float>(std::sin(static_cast<double>(i + j) + 3 * one.times.back())));
    }
    data.series.push_back(std::move(one));
  }
  return data;
}

/// Training steps of all series at once, one path each.
void train_lorenz(benchmark::State& state) {
  const auto [latent, rows] = ito::latent_series(lorenz_model(), some_series());
  constexpr std::size_t epochs = 3;
  double seconds = 0, path_steps = 0;
  for ([[maybe_unused]] auto _ : state) {
    ito::fit(latent,
             {.epochs = epochs,
              .batch = count,
              .samples = 1,
              .learning_rate = 1e-3,
              .annealing_epochs = 100,
              .execution = {.threads = 2}},
             rows, {}, [&](const ito::Progress& progress) {
               seconds = progress.seconds;
               path_steps = progress.path_steps_per_second;
             });
  }
  state.counters["path_steps"] = path_steps;
  state.counters["fit_steps"] = static_cast<double>(epochs) / seconds;
  state.counters["peak_MiB"] = ito::peak_memory() / (1 << 20);
}

}  // namespace

void add_lorenz() { add_row("lorenz/threads=2", train_lorenz); }

}  // namespace bench
