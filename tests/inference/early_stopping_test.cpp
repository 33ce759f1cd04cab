#include "inference/early_stopping.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include <ito/ito.hpp>

#include "inference/models.hpp"
#include "inference/optimizer.hpp"
#include "io/temporary_folder.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

std::vector<EpochRecord> history(const std::vector<double>& elbo, const std::vector<double>& iwae) {
  std::vector<EpochRecord> records;
  for (std::size_t e = 0; e < elbo.size(); ++e)
    records.push_back({.epoch = e + 1, .held_out_elbo = elbo[e], .held_out_iwae = iwae[e]});
  return records;
}

TEST(EarlyStopping, KeepsTheFirstEpochOfTheHighestBoundThatIsTrained) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto records = history({-9, -5, -5, nan, -7}, {nan, -6, -4, -8, -3});
  EXPECT_EQ(best_epoch(records, Objective::free_energy), 2u);
  EXPECT_EQ(best_epoch(records, Objective::sticking_the_landing), 2u);
  EXPECT_EQ(best_epoch(records, Objective::importance_weighted), 5u);
  EXPECT_EQ(best_epoch(records, Objective::partially_importance_weighted), 5u);
  EXPECT_EQ(best_epoch({}, Objective::free_energy), 0u);
}

TEST(EarlyStopping, ComesAfterAsManyEpochsWithoutABetterBoundAsThereIsPatience) {
  const auto records = history({-9, -5, -5, -6, -7}, {-9, -5, -5, -6, -4});
  for (const std::size_t patience : {0, 1, 2, 3, 4}) {
    const FitOptions options{.patience = patience};
    EXPECT_EQ(out_of_patience(records, options), patience > 0 && patience <= 3) << patience;
    EXPECT_FALSE(out_of_patience(std::span(records).first(2), options));
  }
  EXPECT_FALSE(
      out_of_patience(records, {.objective = Objective::importance_weighted, .patience = 1}));
}

/// Four rows, whose mean and spread a start, a decoder and a scale learn by heart, and rows of the
/// same law, which are spread more widely.
struct Overfit {
  LatentModel latent = brownian(2, 4, 0.25, NoControl{}, 0.3);
  Dataset training, held_out;
  FitOptions options{.epochs = 60,
                     .batch = 2,
                     .learning_rate = 0.02,
                     .schedule = Schedule::constant,
                     .averaging = 0.9,
                     .execution = {.threads = 1}};

  Overfit() {
    latent.model.initial = LearnedInitial{};
    latent.decoder = MlpDecoder{.net = Mlp{.hidden = {16}}};
    latent.likelihood = Gaussian{.scale = 0.5, .learned = true};
    const LatentModel truth = brownian(2, 1, 0.2, NoControl{});
    training = sample(truth, {}, 4, {.seed = 1});
    held_out = sample(truth, {}, 100, {.seed = 2});
  }
  FitResult run() const { return fit(latent, options, training, held_out); }
};

bool same(const Parameters& a, const Parameters& b) {
  return std::ranges::equal(a.values(), b.values());
}

class EarlyStoppingOf : public testing::TestWithParam<Objective> {};
INSTANTIATE_TEST_SUITE_P(Objectives, EarlyStoppingOf,
                         testing::Values(Objective::free_energy, Objective::importance_weighted),
                         [](const auto& chosen) {
                           return chosen.param == Objective::free_energy ? "free_energy"
                                                                         : "importance_weighted";
                         });

TEST_P(EarlyStoppingOf, AnOverfitReturnsTheAverageOfARunOfExactlyTheBestEpochs) {
  Overfit overfit;
  overfit.options.objective = GetParam();
  const FitResult whole = overfit.run();
  const auto bound = [](const EpochRecord& record) {
    return GetParam() == Objective::free_energy ? record.held_out_elbo : record.held_out_iwae;
  };
  EXPECT_EQ(whole.best.size(), 0u);
  EXPECT_EQ(whole.best_epoch, 0u);

  overfit.options.patience = 4;
  const FitResult stopped = overfit.run();
  ASSERT_TRUE(stopped.stopped_early) << "the case does not overfit";
  const std::size_t best = stopped.best_epoch;
  EXPECT_EQ(stopped.history.size(), best + 4);
  EXPECT_LT(bound(whole.history.back()), bound(whole.history[best - 1]) - 0.2) << "nats";
  for (const EpochRecord& record : stopped.history) {
    EXPECT_EQ(bound(record), bound(whole.history[record.epoch - 1])) << "other steps";
    if (record.epoch != best) {
      EXPECT_LT(bound(record), bound(stopped.history[best - 1]));
    }
  }

  overfit.options.patience = 0;
  overfit.options.epochs = best;
  const FitResult exactly = overfit.run();
  EXPECT_FALSE(exactly.stopped_early);
  EXPECT_EQ(stopped.chosen, Fitted::best);
  EXPECT_TRUE(same(stopped.best, exactly.average));
  EXPECT_TRUE(same(stopped.parameters, stopped.best));
  EXPECT_FALSE(same(stopped.best, stopped.average));
  EXPECT_FALSE(same(stopped.best, exactly.last));
}

TEST(EarlyStopping, WithPatienceForAllEpochsTrainsToTheEndAndKeepsTheBest) {
  Overfit overfit;
  overfit.options.epochs = 30;
  const FitResult without = overfit.run();
  overfit.options.patience = 30;
  const FitResult with = overfit.run();
  EXPECT_FALSE(with.stopped_early);
  EXPECT_EQ(with.history.size(), 30u);
  EXPECT_TRUE(same(with.average, without.average));
  EXPECT_TRUE(same(with.last, without.last));
  EXPECT_EQ(with.best_epoch, best_epoch(without.history, Objective::free_energy));
  EXPECT_LT(with.best_epoch, 30u);
  const Evaluation evaluation = evaluate(
      overfit.latent, with.best, {.samples = 16, .seed = held_out_seed(1)}, overfit.held_out);
  EXPECT_EQ(evaluation.elbo, with.history[with.best_epoch - 1].held_out_elbo);
}

TEST(EarlyStopping, NeedsHeldOutData) {
  const Overfit overfit;
  EXPECT_EQ(refusal([&] { fit(overfit.latent, {.patience = 3}, overfit.training); }),
            "fit.patience: got 3 without held-out data; accepted: 0, or held-out data to stop by");
}

TEST(EarlyStopping, GoesOnToTheSameBitsWhereverItIsBrokenOff) {
  const TemporaryFolder folder;
  Overfit overfit;
  overfit.options.patience = 3;
  const FitResult whole = overfit.run();
  ASSERT_TRUE(whole.stopped_early);
  const int steps = 2 * static_cast<int>(whole.history.size());
  const int of_best = 2 * static_cast<int>(whole.best_epoch);
  for (const int taken : {1, of_best, of_best + 3, steps - 1}) {
    overfit.options.checkpoint = folder.path() / std::to_string(taken);
    overfit.options.resume = false;
    int asked = 0;
    const FitResult broken = fit(overfit.latent, overfit.options, overfit.training,
                                 overfit.held_out, {}, [&] { return asked++ == taken; });
    EXPECT_TRUE(broken.interrupted);
    EXPECT_FALSE(broken.stopped_early);
    EXPECT_EQ(broken.best.size() > 0, taken > 1) << "an epoch has ended";
    overfit.options.resume = true;
    const FitResult resumed = overfit.run();
    EXPECT_TRUE(same(resumed.parameters, whole.parameters));
    EXPECT_TRUE(same(resumed.last, whole.last));
    EXPECT_EQ(resumed.best_epoch, whole.best_epoch);
    EXPECT_EQ(resumed.history.size(), whole.history.size());
    EXPECT_TRUE(resumed.stopped_early);
  }
}

TEST(EarlyStopping, ARunThatItEndedStaysEndedUntilThereIsMorePatience) {
  const TemporaryFolder folder;
  Overfit overfit;
  overfit.options.patience = 2;
  overfit.options.checkpoint = folder.path() / "checkpoint";
  const FitResult first = overfit.run();
  ASSERT_TRUE(first.stopped_early);
  overfit.options.resume = true;
  const FitResult again = overfit.run();
  EXPECT_TRUE(again.stopped_early);
  EXPECT_EQ(again.history.size(), first.history.size());
  EXPECT_TRUE(same(again.parameters, first.parameters));
  overfit.options.patience = 8;
  const FitResult longer = overfit.run();
  EXPECT_GT(longer.history.size(), first.history.size());
  overfit.options.resume = false;
  const FitResult whole = overfit.run();
  EXPECT_TRUE(same(longer.parameters, whole.parameters));
  EXPECT_TRUE(same(longer.last, whole.last));
  EXPECT_EQ(longer.history.size(), whole.history.size());

  overfit.options.resume = true;
  overfit.options.patience = 0;
  EXPECT_NE(
      refusal([&] { overfit.run(); }).find("options/patience: got nothing; accepted: \"above 0\""),
      std::string::npos);
}

}  // namespace
}  // namespace ito::test
