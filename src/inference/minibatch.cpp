#include "inference/minibatch.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include <ito/error.hpp>

#include "inference/checks.hpp"
#include "kernels/arithmetic/objective.cuh"

namespace ito {
namespace {

static_assert(static_cast<int>(Objective::free_energy) == static_cast<int>(LossKind::free_energy));
static_assert(static_cast<int>(Objective::sticking_the_landing) ==
              static_cast<int>(LossKind::sticking_the_landing));
static_assert(static_cast<int>(Objective::importance_weighted) ==
              static_cast<int>(LossKind::importance_weighted));

/// Of a single objective.
LossKind loss_kind(Objective objective) {
  if (objective == Objective::partially_importance_weighted)
    throw Error("objective", std::string(name(objective)), "one of those it is made of");
  return static_cast<LossKind>(objective);
}

/// One thread for a sum.
struct Alone {
  unsigned member() const { return 0; }
  unsigned size() const { return 1; }
  double sum(double part) const { return part; }
  double max(double part) const { return part; }
};

}  // namespace

Minibatch::Minibatch(const LatentModel& latent, const LatentShape& shape, const Dataset& training,
                     const FitOptions& options, std::size_t memory)
    : training_(training),
      objective_(options.objective),
      samples_(options.samples),
      row_numbers_(training.times * training.dimension),
      block_(block_observations(shape, options.samples, std::min(options.batch, training.count),
                                memory, options.execution.device)),
      constants_(row_constants(ObservationModel(latent.likelihood), training.values, row_numbers_)),
      grids_(latent.model, training),
      paths_(make_latent_paths(latent, shape,
                               {.observations = block_,
                                .samples = options.samples,
                                .samples_field = "fit.samples",
                                .gradient = true,
                                .execution = options.execution})),
      y_(block_ * row_numbers_),
      block_constants_(block_),
      log_likelihood_cotangent_(block_ * samples_),
      energy_cotangent_(block_ * samples_),
      martingale_cotangent_(block_ * samples_) {
  if (objective_ != Objective::partially_importance_weighted) return;
  std::ranges::copy_if(shape.tensors, std::back_inserter(posterior_), of_posterior);
  posterior_gradient_.resize(shape.parameters);
}

Minibatch::Result Minibatch::run(std::span<const float> parameters,
                                 std::span<const std::size_t> picked, std::uint64_t seed,
                                 double annealing, std::span<float> gradient) {
  Result result;
  const double share = 1.0 / static_cast<double>(picked.size());
  std::ranges::fill(gradient, 0.0f);
  std::ranges::fill(posterior_gradient_, 0.0f);
  for (std::size_t begin = 0; begin < picked.size(); begin += block_) {
    const std::size_t rows = std::min(block_, picked.size() - begin);
    gather(picked.subspan(begin, rows));
    ObservationBlock block{.y = std::span(y_).first(rows * row_numbers_),
                           .constants = std::span(block_constants_).first(rows),
                           .seed = seed,
                           .first_path = begin * samples_};
    block_grids_.put(block, 0, rows);
    paths_->forward(parameters, block);
    result.non_finite += paths_->dropped_count();
    const bool partially = objective_ == Objective::partially_importance_weighted;
    if (partially) {
      block_loss(Objective::sticking_the_landing, annealing, share);
      backward(parameters, {.detach_martingale = true}, posterior_gradient_);
    }
    const Result one =
        block_loss(partially ? Objective::importance_weighted : objective_, annealing, share);
    backward(parameters,
             {.detach_martingale = objective_ == Objective::sticking_the_landing,
              .encoder_gradient = !partially},
             gradient);
    result.observations += one.observations;
    result.loss += one.loss;
    result.elbo += one.elbo;
    result.energy += one.energy;
  }
  for (const Tensor& tensor : posterior_)
    std::ranges::copy(std::span(posterior_gradient_).subspan(tensor.offset, tensor.size),
                      gradient.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
  return result;
}

void Minibatch::gather(std::span<const std::size_t> picked) {
  for (std::size_t r = 0; r < picked.size(); ++r) {
    std::ranges::copy(training_.row(picked[r]),
                      y_.begin() + static_cast<std::ptrdiff_t>(r * row_numbers_));
    block_constants_[r] = constants_[picked[r]];
  }
  block_grids_.select(grids_, picked);
}

/// Observation by observation in order.
Minibatch::Result Minibatch::block_loss(Objective objective, double annealing, double share) {
  Result result;
  for (std::size_t r = 0; r < paths_->observations(); ++r) {
    const std::size_t first = r * samples_;
    const ObservationLoss one = observation_loss(
        objective, annealing, share,
        {.log_likelihood = paths_->log_likelihood().subspan(first, samples_),
         .energy = paths_->energy().subspan(first, samples_),
         .martingale = paths_->martingale().subspan(first, samples_),
         .dropped = paths_->dropped().subspan(first, samples_)},
        {.log_likelihood = std::span(log_likelihood_cotangent_).subspan(first, samples_),
         .energy = std::span(energy_cotangent_).subspan(first, samples_),
         .martingale = std::span(martingale_cotangent_).subspan(first, samples_)});
    if (one.paths == 0) continue;
    ++result.observations;
    result.loss += share * one.loss;
    result.elbo += one.elbo;
    result.energy += one.energy;
  }
  return result;
}

void Minibatch::backward(std::span<const float> parameters, const BackwardOptions& options,
                         std::span<float> gradient) {
  const std::size_t paths = paths_->paths();
  paths_->backward(parameters,
                   {.log_likelihood = std::span(log_likelihood_cotangent_).first(paths),
                    .energy = std::span(energy_cotangent_).first(paths),
                    .martingale = std::span(martingale_cotangent_).first(paths)},
                   options, gradient);
}

ObservationLoss observation_loss(Objective objective, double annealing, double share,
                                 const PathSums& sums, const PathCotangentRows& cotangents) {
  const LossSums result = observation_loss(
      Alone{}, loss_kind(objective), annealing, share, static_cast<unsigned>(sums.energy.size()),
      PathSumRows<double>{sums.log_likelihood.data(), sums.energy.data(), sums.martingale.data(),
                          sums.dropped.data()},
      CotangentRows{cotangents.log_likelihood.data(), cotangents.energy.data(),
                    cotangents.martingale.data()});
  return {result.paths, result.loss, result.elbo, result.energy};
}

}  // namespace ito
