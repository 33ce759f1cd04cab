#include "cuda_training/cuda_training.hpp"

#include <ito/check.hpp>
#include <ito/error.hpp>

#include "cuda/buffer.hpp"
#include "cuda_training/training_step.hpp"
#include "inference/latent_paths.hpp"
#include "inference/observation_model.hpp"
#include "inference/row_grids.hpp"

namespace ito::cuda {
namespace {

class CudaTraining final : public TrainingEngine {
 public:
  CudaTraining(const TrainingTask& task, TrainingState& state, int ordinal, std::size_t memory)
      : task_(task),
        state_(state),
        gpu_(open_gpu(ordinal)),
        stream_(gpu_),
        step_(task_, gpu_, ordinal, memory > 0 ? memory : gpu_->properties().memory / 4) {
    upload_data();
    whole_ = step_.capture(stream_.handle(), batch());
    if (const std::size_t rest = task_.training.count % batch(); rest > 0)
      ragged_ = step_.capture(stream_.handle(), rest);
  }

  void begin(std::span<const std::size_t> order, std::span<const StepPlan> steps) override {
    steps_.assign(steps.begin(), steps.end());
    const std::vector<unsigned> places(order.begin(), order.end());
    std::vector<StepEntry> entries;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const std::uint64_t taken = state_.adam.steps - state_.step + s + 1;
      const AdamFactors factors =
          adam_factors(steps[s].learning_rate, task_.options.averaging, taken);
      entries.push_back({steps[s].seed, steps[s].annealing, factors.rate, factors.correction,
                         factors.average_share, static_cast<unsigned>(steps[s].first),
                         static_cast<unsigned>(steps[s].least_observations)});
    }
    TrainingRecord record{};
    record.next = static_cast<unsigned>(state_.step);
    record.epoch = {state_.sums.elbo, state_.sums.energy, state_.sums.observations,
                    state_.sums.non_finite};
    record.norms = state_.sums.gradient_norm;
    upload(arrays().order, std::span<const unsigned>(places));
    upload(arrays().steps, std::span<const StepEntry>(entries));
    upload(arrays().record, std::span<const TrainingRecord>(&record, 1));
    const std::vector<float> parameters = rounded(state_.adam.parameters);
    upload(arrays().parameters, std::span<const float>(parameters));
    for (const auto& [device, host] : numbers()) upload(device, std::span<const double>(*host));
    gpu_->synchronize(stream_.handle());  // the host's copies end here
  }

  void step(std::size_t step) override {
    (steps_[step].rows == batch() ? whole_ : ragged_)->launch(stream_.handle());
    ++state_.adam.steps;
    state_.sums.learning_rate = steps_[step].learning_rate;
  }

  void finish() override {
    TrainingRecord record{};
    gpu_->copy(&record, arrays().record, sizeof record, stream_.handle());
    for (const auto& [device, host] : numbers())
      gpu_->copy(host->data(), device, host->size() * sizeof(double), stream_.handle());
    gpu_->synchronize(stream_.handle());
    if (record.failed) {
      throw StepRefused(record.failed_step,
                        {.non_finite = static_cast<std::size_t>(record.failed_non_finite),
                         .observations = static_cast<std::size_t>(record.failed_observations),
                         .loss = record.failed_loss,
                         .gradient_norm = record.failed_norm});
    }
    EpochSums& sums = state_.sums;
    sums.elbo = record.epoch.elbo;
    sums.energy = record.epoch.energy;
    sums.observations = record.epoch.observations;
    sums.non_finite = record.epoch.non_finite;
    sums.gradient_norm = record.norms;
  }

 private:
  const TrainingArrays& arrays() const { return step_.arrays(); }
  std::size_t batch() const { return step_.sizes().batch; }

  template <class T>
  void upload(T* to, std::span<const T> from) {
    gpu_->copy(to, from.data(), from.size_bytes(), stream_.handle());
  }
  /// What no step changes, and the zeros that steps begin with.
  void upload_data() {
    const Dataset& data = task_.training;
    const std::vector<RowConstant> constants = row_constants(
        ObservationModel(task_.latent.likelihood), data.values, step_.sizes().row_numbers());
    std::vector<unsigned char> fixed(step_.sizes().parameters);
    for (const Tensor& tensor : task_.fixed)
      std::fill_n(fixed.begin() + static_cast<std::ptrdiff_t>(tensor.offset), tensor.size,
                  static_cast<unsigned char>(1));
    upload(arrays().values, std::span<const float>(data.values));
    upload(arrays().constants, std::span<const RowConstant>(constants));
    upload(arrays().fixed, std::span<const unsigned char>(fixed));
    std::vector<NumberScale> scales;  // learned ones are made anew in each step
    for (const double log_scale : ObservationModel(task_.latent.likelihood).log_scales().each)
      scales.push_back(number_scale(log_scale, number_of(task_.latent.likelihood)));
    upload(arrays().scales, std::span<const NumberScale>(scales));
    ObservationBlock all;
    const RowGrids grids(task_.latent.model, data);
    grids.put(all, 0, data.count);
    step_.rows().upload(*gpu_, stream_.handle(), all);
    if (step_.sequence()) step_.sequence()->upload(*gpu_, stream_.handle(), all);
    gpu_->clear(arrays().arrivals, (step_.sizes().observations + 2) * sizeof(unsigned),
                stream_.handle());
    gpu_->synchronize(stream_.handle());
  }
  /// The state's vectors, on the device and on the host.
  std::vector<std::pair<double*, std::vector<double>*>> numbers() {
    return {{arrays().exact, &state_.adam.parameters},
            {arrays().average, &state_.adam.average},
            {arrays().first, &state_.adam.first},
            {arrays().second, &state_.adam.second}};
  }

  TrainingTask task_;
  TrainingState& state_;
  std::shared_ptr<Gpu> gpu_;
  OwnStream stream_;
  TrainingStep step_;
  std::unique_ptr<GpuGraph> whole_, ragged_;
  std::vector<StepPlan> steps_;  ///< of the epoch
};

}  // namespace

std::unique_ptr<TrainingEngine> make_cuda_training(const TrainingTask& task, TrainingState& state,
                                                   int ordinal, std::size_t memory) {
  return std::make_unique<CudaTraining>(task, state, ordinal, memory);
}

}  // namespace ito::cuda
