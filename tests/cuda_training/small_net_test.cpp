// One training step with encoders and decoders of many forms on a CUDA device (the emulated one
// where there is none): its gradient against the host's.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/gpu.hpp"
#include "cuda_training/cuda_training.hpp"
#include "cuda_training/small_net.hpp"
#include "inference/models.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

class SmallNets : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (cuda_report().gpus.empty()) replace_gpu(std::make_shared<EmulatedGpu>());
  }
};

/// Two states seen at two times, with a context: few operations beside the nets.
LatentModel with_nets(Mlp encoder, Mlp decoder, Likelihood likelihood, int observed = 3) {
  LatentModel latent;
  latent.model.state = 2;
  latent.model.grid = uniform_grid(1.0, 2);
  latent.model.save = {1, 2};
  latent.model.initial = LearnedInitial{};
  latent.model.control = FeedbackControl{.net = Mlp{.hidden = {5}}, .context = 4};
  latent.encoder = MlpEncoder{.net = std::move(encoder), .shift = 0.5, .scale = 0.5};
  latent.decoder = MlpDecoder{.net = std::move(decoder)};
  latent.likelihood = likelihood;
  latent.observed = observed;
  return latent;
}

struct StepResult {
  std::vector<double> gradient;  ///< times 1 − 0.9
  EpochSums sums;
};

/// Where a step of the first `rows` of the data leaves Adam's first moments.
StepResult one_step(const LatentModel& latent, const Dataset& data, FitOptions options,
                    std::size_t rows, Device device, std::size_t memory = 0) {
  const LatentModel model = validated(latent);
  const LatentShape shape = resolve(model);
  options.execution = device;
  TrainingState state(shape.parameters);
  state.adam = Adam(scattered(model, 3).values());
  const TrainingTask task{model, shape, data, options, {}};
  const auto engine = device == Device::cuda() ? make_cuda_training(task, state, 0, memory)
                                               : make_host_training(task, state);
  std::vector<std::size_t> order(data.count);
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  engine->begin(order, std::vector<StepPlan>{{.rows = rows, .seed = 9, .learning_rate = 0.01}});
  engine->step(0);
  engine->finish();
  return {state.adam.first, state.sums};
}

void expect_equal_steps(const StepResult& got, const StepResult& wanted, const std::string& what) {
  double difference = 0, size = 0;
  for (std::size_t p = 0; p < got.gradient.size(); ++p) {
    difference += std::pow(got.gradient[p] - wanted.gradient[p], 2);
    size += std::pow(wanted.gradient[p], 2);
  }
  EXPECT_GT(size, 0) << what;
  EXPECT_LE(std::sqrt(difference / size), 1e-5) << what;
  EXPECT_NEAR(got.sums.elbo, wanted.sums.elbo, 2e-5 * std::abs(wanted.sums.elbo)) << what;
  EXPECT_EQ(got.sums.non_finite, wanted.sums.non_finite) << what;
  EXPECT_EQ(got.sums.observations, wanted.sums.observations) << what;
}

TEST_F(SmallNets, GiveTheHostsGradientForEveryActivation) {
  const Dataset data = counts(6, 2, 3);
  for (const auto& row : activation_table) {
    if (row.use != ActivationUse::everywhere) continue;
    const Mlp net{.hidden = {6, 9}, .activation = row.activation, .output = row.activation};
    const LatentModel latent = with_nets(net, net, Gaussian{.scale = 0.7, .learned = true});
    const FitOptions options{.batch = 6, .samples = 2};
    expect_equal_steps(one_step(latent, data, options, 6, Device::cuda()),
                       one_step(latent, data, options, 6, Device::cpu()),
                       std::string(name(row.activation)));
  }
}

TEST_F(SmallNets, GiveTheHostsGradientForEveryLikelihoodAndDepth) {
  const Dataset data = counts(7, 2, 3);
  Dataset bits = data;
  for (float& y : bits.values) y = y > 1 ? 1.0f : 0.0f;
  const std::vector<std::pair<Likelihood, const Dataset*>> likelihoods{
      {Bernoulli{}, &bits}, {Binomial{3}, &data},
      {Poisson{}, &data},   {Gaussian{.scale = 0.7, .learned = true}, &data},
      {Gaussian{}, &data},  {StudentT{.degrees = 3, .learned = true}, &data}};
  // No hidden layer, and layers beside one warp and beside what groups of threads share.
  const std::vector<std::vector<int>> hidden{{}, {33}, {70, 5}, {4, 3, 2, 5}};
  for (std::size_t i = 0; i < likelihoods.size(); ++i) {
    const auto& [likelihood, of] = likelihoods[i];
    const LatentModel latent =
        with_nets({.hidden = hidden[i % 4]}, {.hidden = hidden[(i + 1) % 4]}, likelihood);
    const FitOptions options{.batch = 7, .samples = 3, .objective = Objective::importance_weighted};
    expect_equal_steps(one_step(latent, *of, options, 7, Device::cuda()),
                       one_step(latent, *of, options, 7, Device::cpu()),
                       "case " + std::to_string(i));
  }
}

TEST_F(SmallNets, TakeAMinibatchInBlocksAndARaggedOne) {
  const Dataset data = counts(11, 2, 3);
  const LatentModel latent = with_nets({.hidden = {6}}, {.hidden = {7}}, Binomial{3});
  const FitOptions options{.batch = 8, .samples = 3};
  for (const std::size_t rows : {8, 3}) {
    const StepResult host = one_step(latent, data, options, rows, Device::cpu());
    for (const std::size_t memory : {0, 500})
      expect_equal_steps(one_step(latent, data, options, rows, Device::cuda(), memory), host,
                         std::to_string(rows) + " rows");
  }
}

// Blocks take several tiles of 16 rows, the last of which are ragged.
TEST_F(SmallNets, ShareTilesAmongBlocksWhereRowsAreMany) {
  const Dataset data = counts(2070, 2, 3);
  const LatentModel latent = with_nets({.hidden = {6}}, {.hidden = {7}}, Binomial{3});
  const FitOptions options{.batch = 2070, .samples = 1};
  expect_equal_steps(one_step(latent, data, options, 2070, Device::cuda()),
                     one_step(latent, data, options, 2070, Device::cpu()), "many rows");
}

// States spread over millions: rates are 0 or overflow.
TEST_F(SmallNets, LeaveDroppedPathsOut) {
  LatentModel latent =
      with_nets({.hidden = {6}}, {.hidden = {7}, .activation = Activation::softplus}, Poisson{},
                /*observed=*/1);
  latent.model.save = {2};
  latent.model.diffusion = IdentityDiffusion{1e6};
  const Dataset data = counts(8, 1, 1);
  const FitOptions options{.batch = 8, .samples = 16, .non_finite_limit = 1.0};
  const StepResult host = one_step(latent, data, options, 8, Device::cpu());
  EXPECT_GT(host.sums.non_finite, 0u);
  EXPECT_LT(host.sums.non_finite, 8u * 16);
  expect_equal_steps(one_step(latent, data, options, 8, Device::cuda()), host, "dropped paths");
}

TEST_F(SmallNets, AndWideOnesGiveTheHostsGradientTogether) {
  const int wide = net_threads + 1;
  const Dataset data = counts(5, 2, 3);
  FitOptions options{.batch = 5, .samples = 2};
  for (const bool encoder : {false, true}) {
    const Mlp large{.hidden = {wide}}, small{.hidden = {6}};
    const LatentModel latent = with_nets(encoder ? large : small, encoder ? small : large,
                                         Gaussian{.scale = 0.7, .learned = true});
    const LatentShape shape = resolve(validated(latent));
    constexpr std::size_t shared_memory = 227 << 10;
    EXPECT_EQ(static_cast<bool>(small_net(shape.encoder, 5, shared_memory)), !encoder);
    EXPECT_EQ(static_cast<bool>(small_net(shape.decoder, 20, shared_memory)), encoder);
    for (const Objective objective :
         {Objective::free_energy, Objective::partially_importance_weighted}) {
      options.objective = objective;
      for (const std::size_t memory : {0, 400})
        expect_equal_steps(one_step(latent, data, options, 5, Device::cuda(), memory),
                           one_step(latent, data, options, 5, Device::cpu()),
                           encoder ? "wide encoder" : "wide decoder");
    }
  }
}

}  // namespace
}  // namespace ito::test
