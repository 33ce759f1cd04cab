// Time series that are observed when they are, with gaps: a latent SDE whose encoder reads them.
// Without a file, swings of a pendulum are made; a .csv has the columns series, time and values.
#include <cstdio>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

int main(int count, char** arguments) try {
  const ito::SeriesDataset data =
      count > 1
          ? ito::read_series(arguments[1])
          : ito::lab::sample_pendulum(
                {},
                {.series = 48, .times = 25, .horizon = 3, .gap = 0.25, .missing = 0.1, .seed = 1});
  ito::SeriesModel model;
  model.latent.model = {.state = 3,
                        .grid = {0, 3},  // the unit of time; each series has a grid of its own
                        .initial = ito::GaussianInitial{},
                        .drift = ito::Mlp{.hidden = {32}, .activation = ito::Activation::softplus},
                        .diffusion = ito::ConstantDiffusion{.value = {0.3, 0.3, 0.3}},
                        .control = ito::FeedbackControl{ito::Mlp{.hidden = {32}}, /*context=*/8}};
  model.latent.observed = static_cast<int>(data.dimension());
  model.latent.encoder = ito::GruEncoder{.hidden = 24, .initial = true};  // from last to first
  model.latent.decoder = ito::MlpDecoder{};
  model.latent.likelihood = ito::Gaussian{.scale = 0.2, .learned = true};
  model.longest_step = 0.1;
  model.standardization = ito::fit_standardization(data);

  const auto [latent, rows] = ito::latent_series(model, data);
  const ito::Dataset training = rows.slice(0, rows.count - 8),
                     held_out = rows.slice(rows.count - 8, rows.count);
  const ito::FitResult fitted =
      ito::fit(latent, {.epochs = 20, .batch = 20, .samples = 8, .learning_rate = 0.01}, training,
               held_out, ito::console_progress());
  const ito::Evaluation before = ito::evaluate(latent, ito::initialize(latent, 1), {}, held_out);
  const ito::Evaluation after = ito::evaluate(latent, fitted.parameters, {}, held_out);
  std::printf("log p(y) of a series: at least %.1f nats before training, %.1f ± %.1f after\n",
              before.iwae, after.iwae, after.iwae_error);
  return after.iwae > before.iwae ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
