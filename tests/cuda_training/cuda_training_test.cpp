// Training on a CUDA device (the emulated one where there is none) against training on the host.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/gpu.hpp"
#include "cuda_training/cuda_training.hpp"
#include "cuda_training/training_case.hpp"
#include "inference/checks.hpp"
#include "inference/models.hpp"
#include "io/temporary_folder.hpp"
#include "refusal.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

/// A latent model with an encoder that hands over y, no decoder and two observation times.
LatentModel without_nets(Likelihood likelihood, bool context) {
  LatentModel latent;
  latent.model.state = 2;
  latent.model.grid = uniform_grid(1.0, 4);
  latent.model.save = {2, 4};
  latent.model.initial = LearnedInitial{};
  latent.model.control = FeedbackControl{.net = Mlp{.hidden = {5}}, .context = context ? 4 : 0};
  if (context) latent.encoder = IdentityEncoder{.shift = 1.0, .scale = 0.5};
  latent.likelihood = likelihood;
  latent.observed = 2;
  return latent;
}

LatentModel with_activations(LatentModel latent) {
  std::get<MlpEncoder>(latent.encoder).net = {.hidden = {6, 5}, .activation = Activation::gelu};
  std::get<MlpDecoder>(latent.decoder).net = {
      .hidden = {7}, .activation = Activation::silu, .output = Activation::softplus};
  return latent;
}

Dataset bits(std::size_t rows) {
  Dataset data = counts(rows, 2, 2);
  for (float& y : data.values) y = y > 1 ? 1.0f : 0.0f;
  return data;
}

std::vector<TrainingCase> training_cases() {
  std::vector<TrainingCase> cases;
  const auto add = [&](const char* name, LatentModel latent, Dataset data, auto set) {
    FitOptions options = few_steps();
    set(options);
    options.start = scattered(latent, 3);
    cases.push_back({name, std::move(latent), std::move(data), std::move(options)});
  };
  add("binomial_clipped_and_annealed", full_model(Binomial{3}), counts(20, 2, 5),
      [](FitOptions& o) { o.clip_norm = 0.5, o.annealing_epochs = 1.5; });
  add("gaussian_importance_weighted", full_model(Gaussian{.scale = 0.7, .learned = true}),
      counts(20, 2, 5), [](FitOptions& o) {
        o.objective = Objective::importance_weighted;
        o.samples = 20;
        o.patience = 5;
      });
  add("student_sticking_the_landing_with_fixed_parts",
      with_activations(full_model(StudentT{.degrees = 3, .scale = 0.8, .learned = true})),
      counts(20, 2, 5), [](FitOptions& o) {
        o.objective = Objective::sticking_the_landing;
        o.fixed = {"drift", "decoder.0.weight"};
      });
  add("poisson_without_nets", without_nets(Poisson{}, true), counts(20, 2, 2), [](FitOptions& o) {
    o.samples = 7;
    o.energy_weight = 0.3, o.annealing_epochs = 0.4, o.annealing_cycles = 2;
  });
  add("bernoulli_without_encoder", without_nets(Bernoulli{}, false), bits(20),
      [](FitOptions& o) { o.averaging = 0, o.schedule = Schedule::constant; });
  add("gaussian_of_fixed_scale", without_nets(Gaussian{.scale = 0.5}, true), counts(16, 2, 2),
      [](FitOptions& o) { o.schedule = Schedule::exponential, o.decay = 0.5; });
  add("student_of_scales_importance_weighted",
      full_model(StudentT{.degrees = 3, .scales = {0.8, 0.3, 2, 1.1, 0.6}, .learned = true}),
      counts(20, 2, 5), [](FitOptions& o) { o.objective = Objective::importance_weighted; });
  add("student_partially_importance_weighted",
      full_model(StudentT{.degrees = 3, .scale = 0.8, .learned = true}), counts(20, 2, 5),
      [](FitOptions& o) {
        o.objective = Objective::partially_importance_weighted;
        o.annealing_epochs = 1.5;
      });
  add("gaussian_of_fixed_scales", without_nets(Gaussian{.scales = {0.5, 1e-3}}, true),
      counts(16, 2, 2), [](FitOptions&) {});
  LatentModel by_heun = without_nets(Gaussian{.scale = 0.5}, true);
  by_heun.model.solver = Solver::heun;
  add("gaussian_by_heun", by_heun, counts(16, 2, 2), [](FitOptions&) {});
  return cases;
}

class CudaAndHostTraining : public CudaTraining,
                            public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Cases, CudaAndHostTraining,
                         ::testing::Range(std::size_t{0}, std::size_t{10}),
                         [](const auto& row) { return training_cases()[row.param].name; });

TEST_P(CudaAndHostTraining, AgreeOnParametersAndHistoryToRounding) {
  expect_agreement(training_cases()[GetParam()]);
}

TEST_F(CudaTraining, AStepIsOneGraphAndTheHostWaitsOnlyWhereAnEpochEnds) {
  const auto gpu = std::make_shared<CountingGpu>();
  replace_gpu(gpu);
  const TrainingCase row = training_cases()[3];
  std::vector<int> waits, allocations;
  for (const std::size_t batch : {8, 2}) {
    FitOptions options = row.options;
    options.batch = batch;
    gpu->waits = gpu->graphs = 0;
    int first = 0;
    fit(row.latent, options, row.data, {}, [&](const Progress& progress) {
      if (progress.record.epoch == 1) first = gpu->allocations;
    });
    waits.push_back(gpu->waits);
    EXPECT_EQ(gpu->allocations, first) << "an epoch has allocated";
    EXPECT_EQ(gpu->graphs, batch == 8 ? 2 : 1);
  }
  EXPECT_EQ(waits[0], waits[1]) << "waits depend on the number of steps";
  replace_gpu(std::make_shared<EmulatedGpu>());
}

/// The model of examples/digits.
LatentModel digits_model() {
  LatentModel latent;
  latent.model.state = 8;
  latent.model.grid = uniform_grid(1.0, 32);
  latent.model.drift = Mlp{.hidden = {32}};
  latent.model.diffusion = DiagonalDiffusion{{.hidden = {16}, .output = Activation::softplus}};
  latent.model.control =
      FeedbackControl{.net = {.hidden = {96}, .activation = Activation::silu}, .context = 64};
  latent.encoder = MlpEncoder{{.hidden = {256}, .activation = Activation::silu}, 8, 0.125};
  latent.decoder = MlpDecoder{{.hidden = {128}, .activation = Activation::silu}};
  latent.likelihood = Binomial{16};
  latent.observed = 64;
  return latent;
}

TEST_F(CudaTraining, AStepOfSmallNetsIsElevenNodes) {
  const auto gpu = std::make_shared<CountingGpu>();
  replace_gpu(gpu);
  const LatentModel latent = validated(digits_model());
  const LatentShape shape = resolve(latent);
  const Dataset data = counts(100, 1, 64);
  TrainingState state(shape.parameters);
  make_cuda_training({latent, shape, data, {.execution = Device::cuda()}, {}}, state, 0);
  const std::vector<std::string> nodes{
      "ito_encode",      "ito_prepare", "ito_simulate", "ito_decode",
      "ito_decode_back", "ito_adjoint", "ito_sum",      "ito_context_gradients",
      "ito_encode_back", "ito_collect", "ito_move"};
  EXPECT_EQ(gpu->nodes, nodes);
  replace_gpu(std::make_shared<EmulatedGpu>());
}

TEST_F(CudaTraining, BlocksAddUpToTheWholeMinibatch) {
  expect_blocks_add_up(training_cases()[0], 4000);
  expect_blocks_add_up(training_cases()[7], 4000);
}

TEST_F(CudaTraining, GoesOnToTheSameBitsAfterABreakInTheMiddleOfAnEpoch) {
  const TrainingCase row = training_cases()[4];
  const TemporaryFolder folder;
  FitOptions options = row.options;
  options.checkpoint = folder.path() / "checkpoint";
  const FitResult whole = fit(row.latent, options, row.data);
  int asked = 0;
  const FitResult broken = fit(row.latent, options, row.data, {}, {}, [&] { return ++asked == 5; });
  EXPECT_TRUE(broken.interrupted);
  options.resume = true;
  const FitResult resumed = fit(row.latent, options, row.data);
  EXPECT_TRUE(std::ranges::equal(resumed.parameters.values(), whole.parameters.values()));
  ASSERT_EQ(resumed.history.size(), whole.history.size());
  EXPECT_EQ(resumed.history.back().elbo, whole.history.back().elbo);
  EXPECT_EQ(resumed.history.back().gradient_norm, whole.history.back().gradient_norm);
}

// The last value of the gradient's sums is the same on both, so a parameter that is large against
// its steps shows what is lost of them: in float32 all of it.
TEST_F(CudaTraining, StepsFarBelowAFloatsUlpAddUp) {
  TrainingCase row = training_cases()[5];
  for (float& bias : row.options.start["control.1.bias"]) bias = 1e4f;
  row.options.learning_rate = 1e-6;
  row.options.schedule = Schedule::constant;
  row.options.epochs = 3;
  const LatentShape shape = resolve(row.latent);
  TrainingState state(shape.parameters);
  state.adam = Adam(row.options.start.values());
  const auto engine = make_cuda_training({row.latent, shape, row.data, row.options, {}}, state, 0);
  std::vector<std::size_t> order(row.data.count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t steps = row.data.count / 8;
  std::vector<StepPlan> plans;
  for (std::size_t s = 0; s < steps; ++s)
    plans.push_back({.first = 8 * s, .rows = 8, .seed = s, .learning_rate = 1e-6});
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    engine->begin(order, plans);
    for (std::size_t s = 0; s < steps; ++s) engine->step(s);
    engine->finish();
  }
  const std::size_t at = static_cast<std::size_t>(row.options.start["control.1.bias"].data() -
                                                  row.options.start.values().data());
  const double moved = std::abs(state.adam.parameters[at] - 1e4);
  EXPECT_NEAR(moved, 3.0 * static_cast<double>(steps) * 1e-6, 1e-6)
      << "steps of one sign and size, the gradient hardly changing";
  EXPECT_NE(state.adam.average[at], 1e4);
}

TEST_F(CudaTraining, NamesARowWithoutAFinitePathAsTheHostDoes) {
  TrainingCase row = training_cases()[5];
  row.data.values[9] = 1e30f;
  row.options.non_finite_limit = 0.5;
  const auto outcome = [&](Device device) {
    FitOptions options = row.options;
    options.execution.device = device;
    return refusal([&] { fit(row.latent, options, row.data); });
  };
  EXPECT_NE(outcome(Device::cpu()).find("data row 3 of 16"), std::string::npos)
      << outcome(Device::cpu());
  EXPECT_EQ(outcome(Device::cuda()), outcome(Device::cpu()));
}

// States spread over millions: their Poisson rates are 0 or overflow.
TEST_F(CudaTraining, CountsNonFinitePathsAsTheHostDoesAndRefusesTooMany) {
  TrainingCase row = training_cases()[0];
  row.latent.decoder = IdentityDecoder{};
  row.latent.likelihood = Poisson{};
  row.latent.observed = row.latent.model.state;
  row.data = counts(20, 2, 3);
  row.options.start = scattered(row.latent, 3);
  for (float& log_std : row.options.start["initial.log_std"]) log_std = 14;
  const auto outcome = [&](Device device) {
    FitOptions options = row.options;
    options.execution.device = device;
    return refusal([&] { fit(row.latent, options, row.data); });
  };
  EXPECT_NE(outcome(Device::cpu()).find("of 128 paths not finite"), std::string::npos);
  EXPECT_EQ(outcome(Device::cuda()), outcome(Device::cpu()));
  row.options.non_finite_limit = 1.0;
  const FitResult device = fit(row.latent, row.options, row.data);
  row.options.execution = Device::cpu();
  const FitResult host = fit(row.latent, row.options, row.data);
  EXPECT_GT(host.history[0].non_finite, 0u);
  EXPECT_LT(host.history[0].non_finite, 20u * 16);
  EXPECT_EQ(device.history[0].non_finite, host.history[0].non_finite);
  EXPECT_NEAR(device.history[0].elbo, host.history[0].elbo, 1e-3 * std::abs(host.history[0].elbo));
}

}  // namespace
}  // namespace ito::test
