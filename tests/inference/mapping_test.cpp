#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <ito/ito.hpp>

#include "inference/latent_paths.hpp"
#include "inference/models.hpp"

namespace ito::test {
namespace {

TEST(Mapping, IdentityPartsPassNumbersThrough) {
  LatentModel latent = brownian(2, 2, 1.0, FeedbackControl{.net = Mlp{}, .context = 2});
  latent.encoder = IdentityEncoder{.shift = 1.0, .scale = 0.5};
  const Parameters parameters = initialize(latent, 1);
  const std::vector<float> states{1, 2, 3, 4};
  EXPECT_EQ(decode(latent, parameters, states), states);
  EXPECT_EQ(encode(latent, parameters, {.count = 1, .times = 1, .dimension = 2, .values = {3, 0}}),
            (std::vector<float>{1.0f, -0.5f}));
}

TEST(Mapping, AffinePartsAreTheirMatrices) {
  LatentModel latent = brownian(2, 2, 1.0, FeedbackControl{.net = Mlp{}, .context = 1});
  latent.encoder = MlpEncoder{.net = Mlp{}, .shift = 1.0, .scale = 2.0};
  latent.decoder = MlpDecoder{.net = Mlp{}};
  latent.observed = 3;
  Parameters parameters = initialize(latent, 1);
  const float encoder[] = {1, 10, 100}, decoder[] = {1, 2, 3, 4, 5, 6};
  std::ranges::copy(encoder, parameters["encoder.0.weight"].begin());
  std::ranges::copy(decoder, parameters["decoder.0.weight"].begin());
  parameters["decoder.0.bias"][2] = 0.5f;
  EXPECT_EQ(
      encode(latent, parameters, {.count = 1, .times = 1, .dimension = 3, .values = {2, 3, 4}}),
      (std::vector<float>{2 + 40 + 600}));
  EXPECT_EQ(decode(latent, parameters, std::vector<float>{1, 10}),
            (std::vector<float>{21, 43, 65.5f}));
  EXPECT_THROW(decode(latent, parameters, std::vector<float>{1, 10, 3}), Error);
  EXPECT_THROW(decode(latent, {}, std::vector<float>{1, 10}), Error);
}

TEST(Mapping, ObservationMeanIsTheLikelihoods) {
  LatentModel latent = brownian(1, 2, 1.0, NoControl{});
  latent.likelihood = Binomial{16};
  EXPECT_EQ(observation_mean(latent, {}, std::vector<float>{0, 1000, -1000}),
            (std::vector<float>{8, 16, 0}));
}

TEST(Sample, MeansAreTheDecodedPriorPaths) {
  const LatentModel latent = full_model(Binomial{3});
  const Parameters parameters = scattered(latent, 3);
  const Dataset means = sample(latent, parameters, 20, {.seed = 9, .mean = true});
  Plan plan(prior(latent.model));
  const Paths paths = plan.simulate(parameters, {.paths = 20, .seed = 9});
  EXPECT_EQ(means.values,
            observation_mean(latent, parameters, decode(latent, parameters, paths.states())));
  EXPECT_EQ(means.count, 20u);
  EXPECT_EQ(means.times, 2u);
  EXPECT_EQ(means.dimension, 5u);
}

TEST(Sample, DrawsAreOfTheLikelihoodAndRowsDoNotDependOnTheCount) {
  const LatentModel latent = full_model(Binomial{3});
  const Parameters parameters = scattered(latent, 3);
  const Dataset many = sample(latent, parameters, 50, {.seed = 9});
  EXPECT_NO_THROW(check_dataset(many, validated(latent)));
  const Dataset few = sample(latent, parameters, 7, {.seed = 9});
  EXPECT_EQ(many.slice(0, 7).values, few.values);
  EXPECT_NE(sample(latent, parameters, 7, {.seed = 10}).values, few.values);
}

TEST(Sample, DrawsDoNotDependOnTheBlocksTheyAreMadeIn) {
  const LatentModel latent = full_model(Binomial{3});
  const Parameters parameters = scattered(latent, 3);
  const Dataset small = sample_in_blocks(latent, parameters, 50, {.seed = 9}, 1);  // 16 a block
  EXPECT_EQ(small.values, sample(latent, parameters, 50, {.seed = 9}).values);
}

// y = W_1 + s ε: variance 1 + s².
TEST(Sample, VarianceIsThatOfPathAndLikelihood) {
  const LatentModel latent = brownian(1, 4, 0.5, NoControl{});
  const Dataset data = sample(latent, {}, 20'000, {.seed = 1});
  double square = 0;
  for (const float y : data.values)
    square += static_cast<double>(y) * static_cast<double>(y) / 20'000;
  EXPECT_NEAR(square, 1.5, 4 * 1.5 * std::sqrt(2.0 / 20'000));
}

TEST(Sample, RefusesPathsThatAreNotFinite) {
  LatentModel latent = brownian(1, 200, 1.0, NoControl{});
  latent.model.drift = Mlp{.time = false};
  Parameters parameters = initialize(latent, 1);
  parameters["drift.0.weight"][0] = 1e6f;
  EXPECT_THROW(sample(latent, parameters, 4), Error);
  EXPECT_THROW(sample(latent, parameters, 0), Error);
}

}  // namespace
}  // namespace ito::test
