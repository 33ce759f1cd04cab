#include "inference/latent_paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <ito/plan.hpp>
#include "engine/engine.hpp"
#include "inference/context_encoder.hpp"
#include "inference/initial_posterior.hpp"
#include "model/check.hpp"

namespace ito {
std::size_t block_observations(const LatentShape& shape, std::size_t samples, std::size_t wanted,
                               std::size_t memory, Device device) {
  const std::size_t times = size(shape.times), state = size(shape.model.state);
  // States of the whole chain for the adjoint; states and η at the observation times, and
  // cotangents.
  const std::size_t numbers =
      size(shape.model.steps) * state + 2 * times * (state + size(shape.observed));
  const std::size_t each = device == Device::reference() ? sizeof(double) : sizeof(float);
  const std::size_t encoder =
      shape.sequence_encoder ? times * shape.sequence_encoder->numbers_held() * each : 0;
  const std::size_t bytes = checked_product("samples", {samples, numbers, each}) + encoder;
  return std::clamp<std::size_t>(memory / bytes, 1, std::max<std::size_t>(wanted, 1));
}

std::vector<RowConstant> row_constants(const ObservationModel& model, std::span<const float> values,
                                       std::size_t row_numbers) {
  std::vector<RowConstant> constants(values.size() / row_numbers);
  for (std::size_t i = 0; i < constants.size(); ++i)
    constants[i] = model.constant(values.subspan(i * row_numbers, row_numbers));
  return constants;
}

LatentPaths::LatentPaths(const LatentPathsOptions& options)
    : samples_(options.samples),
      log_likelihood_(options.observations * samples_),
      energy_(log_likelihood_.size()),
      martingale_(log_likelihood_.size()),
      dropped_(log_likelihood_.size()) {}

void LatentPaths::log_weights(std::size_t first, std::span<double> weights) const {
  for (std::size_t s = 0; s < weights.size(); ++s) {
    const std::size_t i = first + s;
    weights[s] = dropped_[i] ? -std::numeric_limits<double>::infinity()
                             : log_likelihood_[i] - (martingale_[i] + energy_[i]);
  }
}

std::size_t LatentPaths::dropped_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(dropped(), [](auto d) { return d != 0; }));
}

namespace {

/// Parameters and gradients are float32 outside; inside they are of the arithmetic's type.
template <class Real>
class LatentPathsIn final : public LatentPaths {
 public:
  LatentPathsIn(const LatentModel& latent, const LatentShape& shape,
                const LatentPathsOptions& options);

  void forward(std::span<const float> parameters, const ObservationBlock& block) override;
  void backward(std::span<const float> parameters, const PathCotangents& cotangents,
                const BackwardOptions& options, std::span<float> gradient) override;
  void copy_last_state(std::size_t path, std::span<float> state) const override {
    // The last save step of a row stands for its end.
    copy(std::span(states_).subspan((path + 1) * state_numbers_ - state.size()), state);
  }
  void copy_eta(std::size_t path, std::span<float> eta) const override {
    copy(std::span(decoder_net_ ? eta_ : states_).subspan(path * row_numbers_), eta);
  }

 private:
  void simulate(const ObservationBlock& block);
  void decode();
  void compare(const ObservationBlock& block);
  void add_gradient(const BackwardOptions& options, std::span<Real> gradient);

  static void copy(std::span<const Real> from, std::span<float> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(from[i]);
  }
  std::span<Real> state_rows() { return std::span(states_).first(paths() * state_numbers_); }
  std::span<Real> eta_rows() {
    return std::span(decoder_net_ ? eta_ : states_).first(paths() * row_numbers_);
  }
  /// In the place of η, or, without a decoder, of the states' cotangents, which they are.
  std::span<Real> eta_cotangents() {
    return std::span(decoder_net_ ? eta_ : state_cotangent_).first(paths() * row_numbers_);
  }
  std::span<Real> context_rows() {
    return std::span(context_).first(observations_ * context_numbers_);
  }

  /// Of the block: [R, 2d] and [R·S, d], or empty.
  std::span<Real> head_rows() {
    return std::span(heads_).first(initial_ ? observations_ * 2 * size(shape_.model.state) : 0);
  }
  std::span<Real> x0_rows() {
    return std::span(x0_).first(initial_ ? paths() * size(shape_.model.state) : 0);
  }
  typename InitialPosterior<Real>::Block initial_block() {
    return {head_rows(), samples_, seed_, first_path_};
  }
  void take_grids(const ObservationBlock& block);

  LatentShape shape_;
  std::uint64_t seed_ = 0, first_path_ = 0;  ///< of the block
  ObservationModel observation_model_;
  LogScales log_scales_;             ///< of the call
  std::size_t row_numbers_ = 0;      ///< L
  std::size_t state_numbers_ = 0;    ///< T·d
  std::size_t context_numbers_ = 0;  ///< I·C, 0 without context
  int threads_ = 1;
  bool gradient_ = false;

  BasicPlan<Real> plan_;
  ContextEncoder<Real> encoder_;
  std::optional<InitialPosterior<Real>> initial_;
  std::unique_ptr<BasicNetwork<Real>> decoder_net_;
  std::vector<std::byte> workspace_;
  BasicRecording<Real> recording_;    ///< of the last forward, where a gradient follows
  std::span<const Real> parameters_;  ///< of the call
  std::vector<Real> own_parameters_;  ///< where they are not the caller's
  std::vector<Real> context_, heads_, x0_, states_, eta_, path_energy_, path_martingale_;
  BasicGridRows<Real> grids_;  ///< of the block, where it has its own
  // Backward only.
  std::vector<Real> eta_slope_, state_cotangent_, context_cotangent_, heads_cotangent_,
      x0_cotangent_, energy_cotangent_, martingale_cotangent_, plan_gradient_, own_gradient_;
  std::vector<double> log_scale_slope_;  ///< [R·S, scales]
};

template <class Real>
LatentPathsIn<Real>::LatentPathsIn(const LatentModel& latent, const LatentShape& shape,
                                   const LatentPathsOptions& options)
    : LatentPaths(options),
      shape_(shape),
      observation_model_(latent.likelihood),
      row_numbers_(size(shape.times) * size(shape.observed)),
      state_numbers_(size(shape.times) * size(shape.model.state)),
      context_numbers_(size(shape.model.context()) * size(shape.model.intervals())),
      threads_(thread_count(options.execution.threads)),
      gradient_(options.gradient),
      plan_(latent.model, options.execution),
      encoder_(latent, shape, options.observations, options.execution) {
  if (shape_.decoder) decoder_net_ = make_network<Real>(*shape_.decoder, options.execution);
  const std::size_t rows = options.observations, n = rows * samples_;
  const std::size_t contexts = rows;  // of context, or of grids
  if (shape_.sequence_encoder && shape_.sequence_encoder->initial) {
    const std::size_t d = size(shape_.model.state);
    initial_.emplace(shape_.model);
    heads_.resize(rows * 2 * d);
    x0_.resize(n * d);
    if (gradient_) {
      heads_cotangent_.resize(heads_.size());
      x0_cotangent_.resize(x0_.size());
    }
  }
  const PathCount paths{options.samples_field, samples_, rows};
  workspace_.resize(gradient_ ? workspace_for(plan_, paths, contexts)
                              : plan_.simulate_workspace_bytes(n, contexts));
  if constexpr (std::is_same_v<Real, double>) own_parameters_.resize(shape_.parameters);
  context_.resize(rows * context_numbers_);
  states_.resize(n * state_numbers_);
  if (decoder_net_) eta_.resize(n * row_numbers_);
  path_energy_.resize(n);
  path_martingale_.resize(n);
  if (!gradient_) return;
  eta_slope_.resize(n * row_numbers_);
  state_cotangent_.resize(n * state_numbers_);
  if (encoder_.has_parameters()) context_cotangent_.resize(rows * context_numbers_);
  energy_cotangent_.resize(n);
  martingale_cotangent_.resize(n);
  plan_gradient_.resize(plan_.parameter_count());
  if constexpr (std::is_same_v<Real, double>) own_gradient_.resize(shape_.parameters);
  log_scale_slope_.resize(n * shape_.log_scales);
}

template <class Real>
void LatentPathsIn<Real>::forward(std::span<const float> parameters,
                                  const ObservationBlock& block) {
  if constexpr (std::is_same_v<Real, double>) {
    std::ranges::copy(parameters, own_parameters_.begin());
    parameters_ = own_parameters_;
  } else {
    parameters_ = parameters;
  }
  log_scales_ = observation_model_.log_scales(shape_.log_scales_of(parameters));
  observations_ = block.constants.size();
  encoder_.forward(parameters_,
                   {.slots = size(shape_.times),
                    .y = block.y,
                    .times = block.times,
                    .lengths = block.lengths,
                    .inputs = block.inputs},
                   context_rows(), head_rows());
  simulate(block);
  decode();
  compare(block);
}

template <class Real>
void LatentPathsIn<Real>::simulate(const ObservationBlock& block) {
  seed_ = block.seed;
  first_path_ = block.first_path;
  take_grids(block);
  BasicRequest<Real> request{.paths = paths(),
                             .seed = seed_,
                             .first_path = first_path_,
                             .x0 = x0_rows(),
                             .context = context_rows(),
                             .grid = grids_.steps,
                             .save = grids_.save};
  if (!request.context.empty() || !request.grid.empty()) request.paths_per_observation = samples_;
  // What the posterior of X_0 adds to the sums is put there first.
  std::ranges::fill(std::span(energy_).first(paths()), 0.0);
  std::ranges::fill(std::span(martingale_).first(paths()), 0.0);
  if (initial_)
    initial_->draw(parameters_, initial_block(), x0_rows(), std::span(energy_).first(paths()),
                   std::span(martingale_).first(paths()));
  const BasicOutputs<Real> outputs{.states = state_rows(),
                                   .energy = std::span(path_energy_).first(paths()),
                                   .martingale = std::span(path_martingale_).first(paths()),
                                   .status = std::span(dropped_).first(paths())};
  if (gradient_) {
    recording_ = plan_.record(parameters_, request, outputs, workspace_);
  } else {
    plan_.simulate(parameters_, request, outputs, workspace_);
  }
  // A zero cotangent times NaN is NaN, so the decoder must not see the states of a dropped path.
  for (std::size_t i = 0; i < paths(); ++i) {
    if (dropped_[i])
      std::ranges::fill(std::span(states_).subspan(i * state_numbers_, state_numbers_), Real{0});
    energy_[i] += static_cast<double>(path_energy_[i]);
    martingale_[i] += static_cast<double>(path_martingale_[i]);
  }
}

template <class Real>
void LatentPathsIn<Real>::take_grids(const ObservationBlock& block) {
  grids_.steps.clear();
  for (const DoubleGridStep& step : block.grid) {
    grids_.steps.push_back({static_cast<Real>(step.time), static_cast<Real>(step.step),
                            static_cast<Real>(step.root_step), step.interval});
  }
  grids_.save.assign(block.save.begin(), block.save.end());
}

template <class Real>
void LatentPathsIn<Real>::decode() {
  if (decoder_net_) decoder_net_->forward(parameters_, state_rows(), eta_rows());
}

template <class Real>
void LatentPathsIn<Real>::compare(const ObservationBlock& block) {
  BasicObservationTerms<Real> terms{.log_probability = std::span(log_likelihood_).first(paths()),
                                    .eta_derivative = {},
                                    .log_scale_derivative = {}};
  if (gradient_) terms.eta_derivative = std::span(eta_slope_).first(paths() * row_numbers_);
  if (gradient_)
    terms.log_scale_derivative = std::span(log_scale_slope_).first(paths() * shape_.log_scales);
  observation_model_.evaluate<Real>({.y = block.y,
                                     .constants = block.constants,
                                     .eta = eta_rows(),
                                     .paths_per_observation = samples_},
                                    log_scales_, threads_, terms);
  // A posterior of X_0 far from its prior makes sums whose derivatives no float holds.
  const auto usable = [](double sum) { return std::abs(sum) < 1e38; };
  for (std::size_t i = 0; i < paths(); ++i) {
    if (!std::isfinite(log_likelihood_[i]) || !usable(energy_[i]) || !usable(martingale_[i]))
      dropped_[i] = 1;
  }
}

template <class Real>
void LatentPathsIn<Real>::backward(std::span<const float> parameters,
                                   const PathCotangents& cotangents, const BackwardOptions& options,
                                   std::span<float> gradient) {
  const std::size_t n = paths();
  const std::span<Real> eta_cotangent = eta_cotangents();
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::size_t i = 0; i < n; ++i) {
    const bool dropped = dropped_[i] != 0;
    const auto taken = [&](float cotangent) { return dropped ? Real{0} : Real{cotangent}; };
    const Real weight = taken(cotangents.log_likelihood[i]);
    energy_cotangent_[i] = taken(cotangents.energy[i]);
    martingale_cotangent_[i] = taken(cotangents.martingale[i]);
    const std::size_t first = i * row_numbers_;
    for (std::size_t j = first; j < first + row_numbers_; ++j)
      eta_cotangent[j] = dropped ? Real{0} : weight * eta_slope_[j];
  }
  if constexpr (std::is_same_v<Real, double>) {
    std::ranges::fill(own_gradient_, 0.0);
    add_gradient(options, own_gradient_);
    for (std::size_t p = 0; p < gradient.size(); ++p)
      gradient[p] += static_cast<float>(own_gradient_[p]);
  } else {
    parameters_ = parameters;
    add_gradient(options, gradient);
  }
  const std::span<float> by_scale = shape_.log_scales_of(gradient);
  for (std::size_t j = 0; j < by_scale.size(); ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (!dropped_[i])
        sum += static_cast<double>(cotangents.log_likelihood[i]) *
               log_scale_slope_[i * by_scale.size() + j];
    by_scale[j] += static_cast<float>(sum);
  }
}

/// From the cotangents of η, energy and martingale back to the parameters of decoder, plan and
/// encoder.
template <class Real>
void LatentPathsIn<Real>::add_gradient(const BackwardOptions& options, std::span<Real> gradient) {
  const std::size_t n = paths();
  const auto state_cotangent = std::span(state_cotangent_).first(n * state_numbers_);
  if (decoder_net_)
    decoder_net_->backward(parameters_, state_rows(), eta_cotangents(), gradient, state_cotangent);
  const bool encoder = options.encoder_gradient && encoder_.has_parameters();
  const auto context_cotangent =
      encoder ? std::span(context_cotangent_).first(observations_ * context_numbers_)
              : std::span<Real>{};
  const auto x0_cotangent = std::span(x0_cotangent_).first(x0_rows().size());
  plan_.adjoint(parameters_, recording_,
                {.states = state_cotangent,
                 .energy = std::span(energy_cotangent_).first(n),
                 .martingale = std::span(martingale_cotangent_).first(n)},
                {.parameters = plan_gradient_, .x0 = x0_cotangent, .context = context_cotangent},
                {.detach_martingale_parameters = options.detach_martingale});
  for (std::size_t p = 0; p < plan_gradient_.size(); ++p) gradient[p] += plan_gradient_[p];
  const auto heads_cotangent = std::span(heads_cotangent_).first(head_rows().size());
  if (initial_) {
    initial_->reverse(parameters_, initial_block(), x0_cotangent,
                      std::span(energy_cotangent_).first(n),
                      std::span(martingale_cotangent_).first(n), options.detach_martingale,
                      heads_cotangent, gradient);
  }
  if (encoder) encoder_.backward(parameters_, context_cotangent, heads_cotangent, gradient);
}

}  // namespace

std::unique_ptr<LatentPaths> make_latent_paths(const LatentModel& latent, const LatentShape& shape,
                                               const LatentPathsOptions& options) {
  if (options.execution.device == Device::reference())
    return std::make_unique<LatentPathsIn<double>>(latent, shape, options);
  return std::make_unique<LatentPathsIn<float>>(latent, shape, options);
}

}  // namespace ito
