#include "study/series_fit.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

namespace ito::lab::study {
namespace {

double distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    squares += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  return std::sqrt(squares);
}

/// Mean distance between different members of one set.
double within(const SeriesDataset& set) {
  double sum = 0;
  for (std::size_t i = 0; i < set.count(); ++i)
    for (std::size_t j = 0; j < i; ++j) sum += distance(set.series[i].values, set.series[j].values);
  return sum / (static_cast<double>(set.count()) * static_cast<double>(set.count() - 1) / 2);
}

}  // namespace

FittedSeries fit_series(SeriesModel model, FitOptions options, const SeriesSplit& data,
                        bool standardize, const std::string& what, const Share& share) {
  using Clock = std::chrono::steady_clock;
  if (standardize) model.standardization = fit_standardization(data.first);
  const LatentSeriesSplit rows = latent_series(model, data);
  options.execution = share.settings.host();
  const Clock::time_point began = Clock::now();
  double training = 0;
  const FitResult fitted =
      fit(rows.latent, options, rows.first, rows.second, [&](const Progress& progress) {
        const EpochRecord& record = progress.record;
        training = progress.seconds;
        share.at(fmt::format("{}, epoch {}, {:.1f} nats a series", what, record.epoch, record.elbo),
                 static_cast<double>(record.epoch) / static_cast<double>(progress.epochs));
      });
  const double steps = std::ceil(static_cast<double>(rows.first.count) /
                                 static_cast<double>(std::min(options.batch, rows.first.count)));
  return {.model = std::move(model),
          .parameters = fitted.parameters,
          .epochs = fitted.history.size(),
          .seconds = std::chrono::duration<double>(Clock::now() - began).count(),
          .iterations_per_second =
              training > 0 ? steps * static_cast<double>(fitted.history.size()) / training : 0};
}

SeriesModel series_model(const SeriesNets& nets, std::size_t columns) {
  const Mlp net{.hidden = {nets.hidden}, .activation = Activation::softplus};
  SeriesModel model;
  model.latent.model = {
      .state = nets.state,
      .grid = {0, 1},
      .initial = GaussianInitial{},
      .drift = net,
      .diffusion = ConstantDiffusion{.value = std::vector(static_cast<std::size_t>(nets.state),
                                                          std::log(nets.noise)),
                                     .output = Activation::exp},
      .control = FeedbackControl{.net = net, .context = nets.context}};
  model.latent.observed = static_cast<int>(columns);
  model.latent.encoder = GruEncoder{.hidden = nets.encoder_hidden, .initial = true};
  model.latent.decoder = MlpDecoder{.net = {.hidden = {nets.hidden}}};
  model.latent.likelihood = Gaussian{.scale = nets.scale, .learned = true};
  model.longest_step = nets.longest_step;
  return model;
}

double energy_distance(const SeriesDataset& a, const SeriesDataset& b) {
  double between = 0;
  for (const ito::Series& one : a.series)
    for (const ito::Series& other : b.series) between += distance(one.values, other.values);
  between /= static_cast<double>(a.count()) * static_cast<double>(b.count());
  return between - (within(a) + within(b)) / 2;
}

}  // namespace ito::lab::study
