#include "inference/latent_paths.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "engine/threads.hpp"

namespace ito {
namespace {

std::size_t size(int number) { return static_cast<std::size_t>(number); }

}  // namespace

std::size_t block_observations(const LatentShape& shape, std::size_t samples, std::size_t wanted,
                               std::size_t memory) {
  const std::size_t times = size(shape.times), state = size(shape.model.state);
  // States of the whole chain for the adjoint; states and η at the observation times, and
  // cotangents.
  const std::size_t numbers =
      size(shape.model.steps) * state + 2 * times * (state + size(shape.observed));
  const std::size_t bytes = samples * numbers * sizeof(float);
  return std::clamp<std::size_t>(memory / bytes, 1, std::max<std::size_t>(wanted, 1));
}

std::vector<double> row_constants(const ObservationModel& model, std::span<const float> values,
                                  std::size_t row_numbers) {
  std::vector<double> constants(values.size() / row_numbers);
  for (std::size_t i = 0; i < constants.size(); ++i)
    constants[i] = model.constant(values.subspan(i * row_numbers, row_numbers));
  return constants;
}

void scale_observations(const Encoder& encoder, std::span<const float> y, std::span<float> scaled) {
  const auto [shift, scale] = std::visit(
      []<class Kind>(const Kind& kind) -> std::pair<double, double> {
        if constexpr (std::is_same_v<Kind, NoEncoder>) {
          return {0.0, 1.0};
        } else {
          return {kind.shift, kind.scale};
        }
      },
      encoder);
  for (std::size_t i = 0; i < y.size(); ++i)
    scaled[i] = static_cast<float>(scale * (static_cast<double>(y[i]) - shift));
}

LatentPaths::LatentPaths(const LatentModel& latent, const LatentShape& shape,
                         const LatentPathsOptions& options)
    : shape_(shape),
      encoder_(latent.encoder),
      observation_model_(latent.likelihood),
      samples_(options.samples),
      row_numbers_(size(shape.times) * size(shape.observed)),
      state_numbers_(size(shape.times) * size(shape.model.state)),
      context_numbers_(size(shape.model.context()) * size(shape.model.intervals())),
      threads_(thread_count(options.threads)),
      gradient_(options.gradient),
      plan_(latent.model, options.device, {.threads = options.threads}) {
  if (shape_.encoder) encoder_net_ = make_network(*shape_.encoder, options.device, threads_);
  if (shape_.decoder) decoder_net_ = make_network(*shape_.decoder, options.device, threads_);
  const std::size_t rows = options.observations, n = rows * samples_;
  workspace_.resize(plan_.workspace_bytes(n, context_numbers_ > 0 ? rows : 1, gradient_));
  if (encoder_net_) scaled_.resize(rows * row_numbers_);
  context_.resize(rows * context_numbers_);
  states_.resize(n * state_numbers_);
  if (decoder_net_) eta_.resize(n * row_numbers_);
  energy_.resize(n);
  martingale_.resize(n);
  log_likelihood_.resize(n);
  dropped_.resize(n);
  if (!gradient_) return;
  eta_slope_.resize(n * row_numbers_);
  if (decoder_net_) state_cotangent_.resize(n * state_numbers_);
  if (encoder_net_) context_cotangent_.resize(rows * context_numbers_);
  energy_cotangent_.resize(n);
  martingale_cotangent_.resize(n);
  plan_gradient_.resize(plan_.parameter_count());
  if (shape_.log_scale) log_scale_slope_.resize(n);
}

void LatentPaths::forward(std::span<const float> parameters, const ObservationBlock& block) {
  observations_ = block.constants.size();
  encode(parameters, block);
  simulate(parameters, block);
  decode(parameters);
  compare(parameters, block);
}

void LatentPaths::encode(std::span<const float> parameters, const ObservationBlock& block) {
  if (context_numbers_ == 0) return;
  if (!encoder_net_) return scale_observations(encoder_, block.y, context_rows());
  const auto scaled = std::span(scaled_).first(observations_ * row_numbers_);
  scale_observations(encoder_, block.y, scaled);
  encoder_net_->forward(parameters, scaled, context_rows());
}

void LatentPaths::simulate(std::span<const float> parameters, const ObservationBlock& block) {
  request_ = {.paths = paths(), .seed = block.seed, .first_path = block.first_path};
  if (context_numbers_ > 0) {
    request_.context = context_rows();
    request_.paths_per_observation = samples_;
  }
  const Outputs outputs{.states = state_rows(),
                        .energy = std::span(energy_).first(paths()),
                        .martingale = std::span(martingale_).first(paths()),
                        .status = std::span(dropped_).first(paths())};
  plan_.simulate(parameters, request_, outputs, workspace_, gradient_);
  // A zero cotangent times NaN is NaN, so the decoder must not see the states of a dropped path.
  for (std::size_t i = 0; i < paths(); ++i) {
    if (dropped_[i])
      std::ranges::fill(std::span(states_).subspan(i * state_numbers_, state_numbers_), 0.0f);
  }
}

void LatentPaths::decode(std::span<const float> parameters) {
  if (decoder_net_) decoder_net_->forward(parameters, state_rows(), eta_rows());
}

void LatentPaths::compare(std::span<const float> parameters, const ObservationBlock& block) {
  ObservationTerms terms{.log_probability = std::span(log_likelihood_).first(paths()),
                         .eta_derivative = {},
                         .log_scale_derivative = {}};
  if (gradient_) terms.eta_derivative = std::span(eta_slope_).first(paths() * row_numbers_);
  if (gradient_ && shape_.log_scale)
    terms.log_scale_derivative = std::span(log_scale_slope_).first(paths());
  observation_model_.evaluate({.y = block.y,
                               .constants = block.constants,
                               .eta = eta_rows(),
                               .paths_per_observation = samples_},
                              log_scale(parameters), threads_, terms);
  for (std::size_t i = 0; i < paths(); ++i)
    if (!std::isfinite(log_likelihood_[i])) dropped_[i] = 1;
}

double LatentPaths::log_scale(std::span<const float> parameters) const {
  return shape_.log_scale ? static_cast<double>(parameters[*shape_.log_scale])
                          : observation_model_.initial_log_scale();
}

std::span<float> LatentPaths::eta_rows() {
  return std::span(decoder_net_ ? eta_ : states_).first(paths() * row_numbers_);
}

std::size_t LatentPaths::dropped_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(dropped(), [](auto d) { return d != 0; }));
}

void LatentPaths::backward(std::span<const float> parameters, const PathCotangents& cotangents,
                           bool detach_martingale, std::span<float> gradient) {
  const std::size_t n = paths();
  // From here on eta_slope_ holds the cotangent of η.
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::size_t i = 0; i < n; ++i) {
    const bool dropped = dropped_[i] != 0;
    const float weight = dropped ? 0.0f : cotangents.log_likelihood[i];
    energy_cotangent_[i] = dropped ? 0.0f : cotangents.energy[i];
    martingale_cotangent_[i] = dropped ? 0.0f : cotangents.martingale[i];
    float* slope = &eta_slope_[i * row_numbers_];
    for (std::size_t j = 0; j < row_numbers_; ++j) slope[j] = dropped ? 0.0f : weight * slope[j];
  }
  const auto eta_cotangent = std::span<const float>(eta_slope_).first(n * row_numbers_);
  std::span<const float> state_cotangent = eta_cotangent;
  if (decoder_net_) {
    const auto cotangent = std::span(state_cotangent_).first(n * state_numbers_);
    decoder_net_->backward(parameters, state_rows(), eta_cotangent, gradient, cotangent);
    state_cotangent = cotangent;
  }
  const auto context_cotangent =
      encoder_net_ ? std::span(context_cotangent_).first(observations_ * context_numbers_)
                   : std::span<float>{};
  plan_.adjoint(parameters, request_,
                {.states = state_cotangent,
                 .energy = std::span(energy_cotangent_).first(n),
                 .martingale = std::span(martingale_cotangent_).first(n)},
                {.parameters = plan_gradient_, .context = context_cotangent}, workspace_,
                {.detach_martingale_parameters = detach_martingale}, true);
  for (std::size_t p = 0; p < plan_gradient_.size(); ++p) gradient[p] += plan_gradient_[p];
  if (encoder_net_)
    encoder_net_->backward(parameters, std::span(scaled_).first(observations_ * row_numbers_),
                           context_cotangent, gradient, {});
  if (!shape_.log_scale) return;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (!dropped_[i])
      sum += static_cast<double>(cotangents.log_likelihood[i]) * log_scale_slope_[i];
  gradient[*shape_.log_scale] += static_cast<float>(sum);
}

}  // namespace ito
