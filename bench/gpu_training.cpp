#include <algorithm>
#include <numeric>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/gpu.hpp"
#include "cuda_training/cuda_training.hpp"
#include "digits.hpp"
#include "rows.hpp"

namespace bench {
namespace {

/// Epochs of the demo through the graphs of their steps. A time is an epoch's, the host's calls and
/// its wait at the end included, over the number of steps.
void train(benchmark::State& state) {
  const Digits digits = read_digits();
  const ito::LatentModel latent = ito::validated(digits.latent);
  const ito::LatentShape shape = ito::resolve(latent);
  const ito::FitOptions options{.execution = ito::Device::cuda()};
  const ito::Parameters start = ito::initialize(latent, options.seed);
  ito::TrainingState training(shape.parameters);
  training.adam = ito::Adam(start.values());
  const auto engine = ito::cuda::make_cuda_training({latent, shape, digits.training, options, {}},
                                                    training, /*ordinal=*/0);

  std::vector<std::size_t> order(digits.training.count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<ito::StepPlan> steps;
  for (std::size_t first = 0; first < order.size(); first += options.batch) {
    steps.push_back({.first = first,
                     .rows = std::min(options.batch, order.size() - first),
                     .seed = first,
                     .learning_rate = options.learning_rate});
  }
  const auto epoch = [&] {
    engine->begin(order, steps);
    for (std::size_t step = 0; step < steps.size(); ++step) engine->step(step);
    engine->finish();
  };
  epoch();
  for ([[maybe_unused]] auto _ : state) epoch();

  const auto count = static_cast<double>(steps.size());
  const double path_steps =
      static_cast<double>(order.size() * options.samples) * static_cast<double>(shape.model.steps);
  state.counters["path_steps"] =
      benchmark::Counter(path_steps, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["step_us"] = benchmark::Counter(
      1e-6 * count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["elbo"] = training.sums.elbo / training.sums.observations;
}

}  // namespace

void add_gpu_training() {
  if (ito::cuda::gpu_count() > 0) add_row("gpu/of=digits/batch=100/paths=1600/training", train);
}

}  // namespace bench
