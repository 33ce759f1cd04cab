
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <ito/ito.hpp>

#include "inference/minibatch.hpp"
#include "inference/models.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

const std::vector<double> log_likelihood{-3, -1, -2, -40};
const std::vector<double> energy{0.5, 0.25, 2, 1}, martingale{-0.5, 1, 0.25, 3};

struct Outcome {
  ObservationLoss loss;
  std::vector<float> log_likelihood, energy, martingale;
};

Outcome run(Objective objective, double annealing, double share,
            const std::vector<std::uint8_t>& dropped = {0, 0, 0, 0}) {
  Outcome outcome;
  for (auto* row : {&outcome.log_likelihood, &outcome.energy, &outcome.martingale}) row->resize(4);
  outcome.loss =
      observation_loss(objective, annealing, share, {log_likelihood, energy, martingale, dropped},
                       {outcome.log_likelihood, outcome.energy, outcome.martingale});
  return outcome;
}

TEST(Objective, FreeEnergyIsEnergyMinusLogLikelihood) {
  const Outcome outcome = run(Objective::free_energy, 1.0, 0.5);
  EXPECT_NEAR(outcome.loss.loss, 3.75 / 4 + 46.0 / 4, 1e-12);
  EXPECT_NEAR(outcome.loss.elbo, -outcome.loss.loss, 1e-12);
  EXPECT_EQ(outcome.log_likelihood, std::vector<float>(4, -0.125f));
  EXPECT_EQ(outcome.energy, std::vector<float>(4, 0.125f));
  EXPECT_EQ(outcome.martingale, std::vector<float>(4, 0.0f));
}

TEST(Objective, AnnealingWeighsTheEnergyButNotTheReportedBound) {
  const Outcome outcome = run(Objective::sticking_the_landing, 0.5, 1.0);
  EXPECT_NEAR(outcome.loss.loss, 0.5 * 7.5 / 4 + 46.0 / 4, 1e-12);
  EXPECT_NEAR(outcome.loss.elbo, -(3.75 / 4 + 46.0 / 4), 1e-12);
  EXPECT_EQ(outcome.energy, std::vector<float>(4, 0.125f));
  EXPECT_EQ(outcome.martingale, std::vector<float>(4, 0.125f));
}

TEST(Objective, ImportanceWeightedLossIsTheLogMeanWeight) {
  const Outcome outcome = run(Objective::importance_weighted, 1.0, 1.0);
  const double a = std::exp(-3.0), b = std::exp(-2.25), c = std::exp(-4.25), d = std::exp(-44.0);
  const double sum = a + b + c + d;
  EXPECT_NEAR(outcome.loss.loss, -std::log(sum / 4), 1e-12);
  EXPECT_NEAR(outcome.log_likelihood[1], -b / sum, 1e-7);
  EXPECT_NEAR(outcome.energy[2], c / sum, 1e-7);
  EXPECT_EQ(outcome.energy, outcome.martingale);
}

TEST(Objective, DroppedPathsHaveNoPart) {
  for (const Objective objective :
       {Objective::free_energy, Objective::sticking_the_landing, Objective::importance_weighted}) {
    const Outcome outcome = run(objective, 1.0, 1.0, {0, 1, 0, 1});
    EXPECT_EQ(outcome.loss.paths, 2u);
    EXPECT_NEAR(outcome.loss.elbo, -(2.5 + 5) / 2, 1e-12);
    EXPECT_EQ(outcome.log_likelihood[1], 0.0f);
    EXPECT_EQ(outcome.energy[3], 0.0f);
    EXPECT_NEAR(outcome.log_likelihood[0] + outcome.log_likelihood[2], -1, 1e-6);
    EXPECT_EQ(run(objective, 1.0, 1.0, {1, 1, 1, 1}).loss.paths, 0u);
  }
}

/// Loss and gradient of one minibatch at given parameters, always with the same noise.
class Training {
 public:
  Training(const LatentModel& latent, Dataset data, Objective objective, std::size_t samples = 16)
      : latent_(validated(latent)),
        data_(std::move(data)),
        options_{.samples = samples, .objective = objective, .execution = {Device::reference(), 1}},
        minibatch_(latent_, resolve(latent_), data_, options_),
        all_(data_.count) {
    for (std::size_t i = 0; i < all_.size(); ++i) all_[i] = i;
  }
  double loss(std::span<const float> parameters) {
    std::vector<float> ignored(parameters.size());
    return minibatch_.run(parameters, all_, 17, annealing, ignored).loss;
  }
  std::vector<float> gradient(std::span<const float> parameters) {
    std::vector<float> result(parameters.size());
    minibatch_.run(parameters, all_, 17, annealing, result);
    return result;
  }
  double annealing = 1.0;

 private:
  LatentModel latent_;
  Dataset data_;
  FitOptions options_;
  Minibatch minibatch_;
  std::vector<std::size_t> all_;
};

std::size_t offset_of(const Parameters& parameters, const std::string& name) {
  for (const Tensor& tensor : parameters.tensors())
    if (tensor.name == name) return tensor.offset;
  throw Error(name);
}

struct GradientCase {
  std::string name;
  Likelihood likelihood;
  Objective objective;
  Encoder encoder = full_model(Poisson{}).encoder;
};

class ObjectiveGradient : public testing::TestWithParam<GradientCase> {};

// Fourth-order differences. The engine is double inside; float32 at its edges (states, η, terms of
// log p) leaves the loss with an error of about |log p| · 6e-8 ~ 1e-6, so a difference with h =
// 0.03 has about 1e-6/h ~ 5e-5 of it, and h⁴/30 · f⁽⁵⁾ of truncation, as small.
TEST_P(ObjectiveGradient, IsTheDifferenceQuotientOfTheLoss) {
  LatentModel latent = full_model(GetParam().likelihood);
  latent.encoder = GetParam().encoder;
  Training training(latent, counts(3, 2, 5), GetParam().objective);
  training.annealing = 0.7;
  Parameters parameters = scattered(latent, 6, 0.2);
  const std::vector<float> gradient = training.gradient(parameters);
  const auto at = [&](std::size_t p, double shift) {
    const float before = parameters.values()[p];
    parameters.values()[p] = static_cast<float>(static_cast<double>(before) + shift);
    const double loss = training.loss(parameters);
    parameters.values()[p] = before;
    return loss;
  };
  constexpr double h = 0.03;
  double largest = 0;
  for (const float g : gradient) largest = std::max(largest, std::abs(static_cast<double>(g)));
  for (const Tensor& tensor : parameters.tensors()) {
    double of_tensor = 0;
    for (std::size_t i = 0; i < tensor.size; ++i) {
      const std::size_t p = tensor.offset + i;
      const double quotient =
          (8 * (at(p, h) - at(p, -h)) - (at(p, 2 * h) - at(p, -2 * h))) / (12 * h);
      EXPECT_NEAR(static_cast<double>(gradient[p]), quotient, 5e-4 * (1 + 0.1 * largest))
          << tensor.name << "[" << i << "]";
      of_tensor += std::abs(quotient);
    }
    EXPECT_GT(of_tensor, 1e-3) << tensor.name << " has no gradient to compare";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ObjectiveGradient,
    testing::Values(GradientCase{"gaussian", Gaussian{.scale = 1.3, .learned = true},
                                 Objective::free_energy},
                    GradientCase{"student", StudentT{.degrees = 4, .scale = 0.8, .learned = true},
                                 Objective::importance_weighted},
                    GradientCase{"binomial", Binomial{3}, Objective::importance_weighted},
                    GradientCase{"poisson", Poisson{}, Objective::free_energy},
                    GradientCase{"gru", Binomial{3}, Objective::free_energy,
                                 GruEncoder{.hidden = 3, .decay = true}},
                    GradientCase{"attention", Binomial{3}, Objective::free_energy,
                                 AttentionEncoder{.hidden = 4, .rates = 2}}),
    [](const auto& chosen) { return chosen.param.name; });

// At u* the sticking-the-landing gradient vanishes path by path in continuous time, while the free
// energy's only averages to zero (Roeder et al. 2017).
TEST(StickingTheLanding, HasNoNoiseAtTheOptimum) {
  const auto spread = [](Objective objective, int steps) {
    const UnstableOrnsteinUhlenbeck process{.steps = steps};
    Training training(process.latent(), repeated({0.0f}, 8), objective);
    const Parameters parameters = process.parameters();
    const std::vector<float> gradient = training.gradient(parameters);
    return std::abs(static_cast<double>(gradient[offset_of(parameters, "control.0.weight")]));
  };
  EXPECT_LT(spread(Objective::sticking_the_landing, 512),
            0.1 * spread(Objective::free_energy, 512));
  EXPECT_LT(spread(Objective::sticking_the_landing, 512),
            0.5 * spread(Objective::sticking_the_landing, 16));
}

// Away from it, both estimate the same gradient.
TEST(StickingTheLanding, AgreesWithTheFreeEnergyOnAverage) {
  const UnstableOrnsteinUhlenbeck process{.steps = 8};
  const Parameters parameters = process.parameters(0.4);
  const std::size_t control_weight = offset_of(parameters, "control.0.weight");
  double mean = 0, square = 0;
  constexpr int repeats = 200;
  for (int i = 0; i < repeats; ++i) {
    std::vector<double> control;
    for (const Objective objective : {Objective::free_energy, Objective::sticking_the_landing}) {
      const LatentModel latent = validated(process.latent());
      const Dataset data = repeated({0.0f}, 1);
      const FitOptions options{
          .samples = 64, .objective = objective, .execution = {Device::reference(), 1}};
      Minibatch minibatch(latent, resolve(latent), data, options);
      std::vector<float> gradient(parameters.size());
      const std::size_t row = 0;
      minibatch.run(parameters, {&row, 1}, static_cast<std::uint64_t>(i), 1.0, gradient);
      control.push_back(static_cast<double>(gradient[control_weight]));
    }
    const double difference = control[0] - control[1];
    mean += difference / repeats;
    square += difference * difference / repeats;
  }
  EXPECT_GT(square, 0) << "the two objectives are the same computation";
  EXPECT_NEAR(mean, 0, 4 * std::sqrt((square - mean * mean) / (repeats - 1)));
}

class PartiallyImportanceWeighted
    : public testing::TestWithParam<std::tuple<Device, GradientCase>> {};

TEST_P(PartiallyImportanceWeighted, HasTheGradientsOfBothObjectivesEachForItsOwn) {
  const auto& [device, chosen] = GetParam();
  LatentModel latent = full_model(chosen.likelihood);
  latent.encoder = chosen.encoder;
  latent = validated(latent);
  const Parameters parameters = scattered(latent, 2);
  const Dataset data = counts(5, 2, 5);
  const std::vector<std::size_t> rows{4, 0, 3};
  const auto gradient = [&](Objective objective, std::size_t memory = block_memory) {
    const FitOptions options{.samples = 6, .objective = objective, .execution = {device, 1}};
    std::vector<float> result(parameters.size());
    Minibatch(latent, resolve(latent), data, options, memory).run(parameters, rows, 3, 0.7, result);
    return result;
  };
  const auto posterior = gradient(Objective::sticking_the_landing),
             model = gradient(Objective::importance_weighted),
             both = gradient(Objective::partially_importance_weighted);
  for (const Tensor& tensor : parameters.tensors()) {
    const bool of_posterior =
        tensor.name.starts_with("encoder.") || tensor.name.starts_with("control.");
    const auto part = [&](const std::vector<float>& whole) {
      return std::vector<float>(
          whole.begin() + static_cast<std::ptrdiff_t>(tensor.offset),
          whole.begin() + static_cast<std::ptrdiff_t>(tensor.offset + tensor.size));
    };
    EXPECT_EQ(part(both), part(of_posterior ? posterior : model)) << tensor.name;
    EXPECT_NE(part(posterior), part(model)) << tensor.name;
  }
  // In blocks of one observation: the same but for the order of sums.
  const auto cut = gradient(Objective::partially_importance_weighted, 1);
  for (std::size_t p = 0; p < both.size(); ++p)
    EXPECT_NEAR(both[p], cut[p], 1e-4 * (1 + std::abs(both[p]))) << p;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PartiallyImportanceWeighted,
    testing::Combine(
        testing::Values(Device::reference(), Device::cpu()),
        testing::Values(
            GradientCase{"gaussian", Gaussian{.scale = 1.3, .learned = true}, {}},
            GradientCase{"gru", Binomial{3}, {}, GruEncoder{.hidden = 3, .initial = true}},
            GradientCase{"decay", Binomial{3}, {}, GruEncoder{.hidden = 3, .decay = true}},
            GradientCase{"attention", Binomial{3}, {}, AttentionEncoder{.hidden = 4, .rates = 2}})),
    [](const auto& chosen) {
      return std::get<0>(chosen.param).name() + "_" + std::get<1>(chosen.param).name;
    });

TEST(PartialImportanceWeights, NeedsBothPartsToTrain) {
  const auto message = [](const LatentModel& latent, std::vector<std::string> fixed) {
    const FitOptions options{.objective = Objective::partially_importance_weighted,
                             .fixed = std::move(fixed)};
    return refusal([&] { fit(latent, options, repeated({0.5F}, 4)); });
  };
  const std::string got = "fit.objective: got partially-importance-weighted; accepted: ";
  const LatentModel brown = validated(brownian(1, 4, 1.0, NoControl{}));
  EXPECT_EQ(message(brown, {}),
            got + "importance-weighted, where no encoder and no control is trained");
  const LatentModel latent = UnstableOrnsteinUhlenbeck{}.latent();
  EXPECT_EQ(message(latent, {"control"}),
            got + "importance-weighted, where no encoder and no control is trained");
  EXPECT_EQ(message(latent, {"drift"}),
            got + "sticking-the-landing, where only encoder and control are trained");
}

// Without a decoder the states' cotangents are η's; the noise is the same in each run.
TEST(PartialImportanceWeights, IsTheSameAgainAndWithoutADecoder) {
  const UnstableOrnsteinUhlenbeck process{.steps = 8};
  const Parameters parameters = process.parameters(0.4);
  Training both(process.latent(), repeated({0.3F}, 3), Objective::partially_importance_weighted),
      posterior(process.latent(), repeated({0.3F}, 3), Objective::sticking_the_landing),
      model(process.latent(), repeated({0.3F}, 3), Objective::importance_weighted);
  const auto first = both.gradient(parameters), by_posterior = posterior.gradient(parameters),
             by_model = model.gradient(parameters);
  EXPECT_EQ(both.gradient(parameters), first);
  for (const Tensor& tensor : parameters.tensors())
    for (std::size_t p = tensor.offset; p < tensor.offset + tensor.size; ++p)
      EXPECT_EQ(first[p], (tensor.name.starts_with("control.") ? by_posterior : by_model)[p])
          << tensor.name;
}

TEST(Minibatch, BlocksAddUpToTheWhole) {
  const LatentModel latent = validated(full_model(Gaussian{.learned = true}));
  const Parameters parameters = scattered(latent, 2);
  const Dataset data = counts(9, 2, 5);
  const std::vector<std::size_t> rows{8, 0, 3, 5, 2};
  std::vector<float> whole(parameters.size()), cut(parameters.size());
  const FitOptions options{.objective = Objective::importance_weighted,
                           .execution = {.threads = 1}};
  Minibatch large(latent, resolve(latent), data, options);
  Minibatch small(latent, resolve(latent), data, options, 1);
  const Minibatch::Result a = large.run(parameters, rows, 3, 1.0, whole);
  const Minibatch::Result b = small.run(parameters, rows, 3, 1.0, cut);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.elbo, b.elbo);
  for (std::size_t p = 0; p < whole.size(); ++p)
    EXPECT_NEAR(whole[p], cut[p], 1e-5 * (1 + std::abs(whole[p])));
}

// σ = 3e38: in float32 a step overflows in about a third of the paths, whose states are infinite or
// NaN.
TEST(Minibatch, StatesThatAreNotFiniteDoNotReachTheDecodersGradient) {
  LatentModel latent = brownian(1, 4, 100.0, ConstantControl{{0.1}}, 3e38);
  latent.decoder = MlpDecoder{.net = Mlp{}};
  latent = validated(latent);
  Parameters parameters = initialize(latent, 1);
  parameters["decoder.0.weight"][0] = 1e-38f;
  const Dataset data = repeated({0.5f}, 4);
  Minibatch minibatch(latent, resolve(latent), data, {.execution = Device::cpu()});
  std::vector<float> gradient(parameters.size());
  const std::vector<std::size_t> rows{0, 1, 2, 3};
  const Minibatch::Result result = minibatch.run(parameters, rows, 1, 1.0, gradient);
  EXPECT_GT(result.non_finite, 5u);
  EXPECT_LT(result.non_finite, 59u);
  EXPECT_TRUE(std::isfinite(gradient[offset_of(parameters, "decoder.0.weight")]));
  EXPECT_TRUE(std::isfinite(gradient[offset_of(parameters, "decoder.0.bias")]));
}

TEST(Minibatch, DroppedPathsLeaveTheGradientFinite) {
  // η = x: where x is about 1e30 the rate overflows, where it is about −1e30 it is 0.
  LatentModel latent = brownian(1, 2, 1.0, ConstantControl{{0.1}}, 1e30);
  latent.decoder = MlpDecoder{.net = Mlp{}};
  latent.likelihood = Poisson{};
  Parameters parameters = initialize(latent, 1);
  parameters["decoder.0.weight"][0] = 1.0f;
  latent = validated(latent);
  const Dataset data = repeated({3.0f}, 4);
  Minibatch minibatch(latent, resolve(latent), data, {.execution = Device::reference()});
  std::vector<float> gradient(parameters.size());
  const std::vector<std::size_t> rows{0, 1, 2, 3};
  const Minibatch::Result result = minibatch.run(parameters, rows, 1, 1.0, gradient);
  EXPECT_GT(result.non_finite, 10u);
  EXPECT_LT(result.non_finite, 54u);
  EXPECT_EQ(result.observations, 4u);
  EXPECT_TRUE(std::isfinite(result.loss));
  for (const float g : gradient) EXPECT_TRUE(std::isfinite(g));
}

}  // namespace
}  // namespace ito::test
