#include "inference/observation_scores.hpp"

#include <omp.h>

#include <algorithm>
#include <exception>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/minibatch.hpp"
#include "model/check.hpp"

namespace ito {

/// The paths of one observation at a time.
class ObservationScores::Worker {
 public:
  Worker(const LatentModel& latent, const LatentShape& shape, std::span<const float> parameters,
         std::span<const Tensor> tensors, const ObservationScoreOptions& options)
      : parameters_(parameters),
        tensors_(tensors),
        samples_(options.samples),
        seed_(options.seed),
        paths_(make_latent_paths(latent, shape,
                                 {.samples = options.samples,
                                  .samples_field = "standard_errors.samples",
                                  .gradient = true,
                                  .execution = options.execution})),
        gradient_(shape.parameters),
        log_likelihood_(options.samples),
        energy_(options.samples),
        martingale_(options.samples) {}

  /// By the `place`-th S of all paths.
  void estimate(const DatasetRows& rows, std::size_t observation, std::size_t place,
                std::span<double> score) {
    ObservationBlock block = rows.block(observation, 1, samples_, seed_);
    block.first_path = place * samples_;
    paths_->forward(parameters_, block);
    const ObservationLoss loss = observation_loss(
        Objective::importance_weighted, 1, 1,
        {paths_->log_likelihood(), paths_->energy(), paths_->martingale(), paths_->dropped()},
        {log_likelihood_, energy_, martingale_});
    if (loss.paths == 0)
      throw Error(fmt::format("standard_errors: data row {}", observation + 1), "no finite path",
                  "parameters under which paths and log-likelihoods stay finite");
    std::ranges::fill(gradient_, 0.0F);
    paths_->backward(parameters_, {log_likelihood_, energy_, martingale_}, {}, gradient_);
    std::size_t i = 0;
    for (const Tensor& tensor : tensors_)
      for (std::size_t k = 0; k < tensor.size; ++k)
        score[i++] = -static_cast<double>(gradient_[tensor.offset + k]);
  }

 private:
  std::span<const float> parameters_;
  std::span<const Tensor> tensors_;
  std::size_t samples_;
  std::uint64_t seed_;
  std::unique_ptr<LatentPaths> paths_;
  std::vector<float> gradient_, log_likelihood_, energy_, martingale_;
};

ObservationScores::ObservationScores(const LatentModel& latent, const LatentShape& shape,
                                     std::span<const float> parameters, const Dataset& data,
                                     std::span<const Tensor> tensors,
                                     const ObservationScoreOptions& options)
    : rows_(latent, data) {
  // On the host the observations are shared out; a device has paths enough of one.
  const bool host = options.execution.device.kind() != Device::Kind::cuda;
  const std::size_t threads =
      host ? std::min(size(thread_count(options.execution.threads)), data.count) : 1;
  ObservationScoreOptions of_one = options;
  if (host) of_one.execution.threads = 1;
  for (std::size_t t = 0; t < threads; ++t)
    workers_.push_back(std::make_unique<Worker>(latent, shape, parameters, tensors, of_one));
}

ObservationScores::~ObservationScores() = default;

void ObservationScores::estimate(std::size_t begin, Rows& first, Rows& second) {
  const auto score = [](Rows& rows, std::ptrdiff_t r) {
    return std::span(rows.row(r).data(), static_cast<std::size_t>(rows.cols()));
  };
  std::exception_ptr failure;  // an exception must not leave a parallel region
  std::ptrdiff_t failed = first.rows();
#pragma omp parallel for schedule(dynamic) num_threads(static_cast <int>(workers_.size()))
  for (std::ptrdiff_t r = 0; r < first.rows(); ++r) {
    try {
      Worker& worker = *workers_[size(omp_get_thread_num())];
      const std::size_t i = begin + static_cast<std::size_t>(r);
      worker.estimate(rows_, i, 2 * i, score(first, r));
      worker.estimate(rows_, i, 2 * i + 1, score(second, r));
    } catch (...) {
#pragma omp critical(ito_scores_failure)
      if (r < failed) {
        failed = r;
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace ito
