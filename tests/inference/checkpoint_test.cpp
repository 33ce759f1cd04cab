#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "inference/models.hpp"

namespace ito::test {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class Checkpoint : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("ito-checkpoint-" + std::string(info->name()) + "-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    options_.checkpoint = folder_ / "checkpoint.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  FitResult run(const ProgressCallback& progress = {}, const std::function<bool()>& stop = {}) {
    return fit(latent_, options_, data_, held_out_, progress, stop);
  }
  FitResult resume() {
    options_.resume = true;
    return run();
  }
  FitResult uninterrupted() {
    FitOptions options = options_;
    options.checkpoint = folder_ / "whole.safetensors";
    options.resume = false;
    return fit(latent_, options, data_, held_out_);
  }
  std::string refusal() {
    try {
      resume();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_same(const FitResult& a, const FitResult& b) {
    EXPECT_TRUE(std::ranges::equal(a.parameters.values(), b.parameters.values()));
    EXPECT_TRUE(std::ranges::equal(a.average.values(), b.average.values()));
    EXPECT_TRUE(std::ranges::equal(a.last.values(), b.last.values()));
    EXPECT_EQ(a.chosen, b.chosen);
    ASSERT_EQ(a.history.size(), b.history.size());
    for (std::size_t e = 0; e < a.history.size(); ++e) {
      EXPECT_EQ(a.history[e].epoch, b.history[e].epoch);
      EXPECT_EQ(a.history[e].elbo, b.history[e].elbo);
      EXPECT_EQ(a.history[e].held_out_iwae, b.history[e].held_out_iwae);
      EXPECT_EQ(a.history[e].gradient_norm, b.history[e].gradient_norm);
      EXPECT_EQ(a.history[e].learning_rate, b.history[e].learning_rate);
      EXPECT_EQ(a.history[e].plan, b.history[e].plan);
    }
    EXPECT_EQ(bytes_of(options_.checkpoint), bytes_of(folder_ / "whole.safetensors"));
  }

  fs::path folder_;
  LatentModel latent_ = full_model(Gaussian{.learned = true});
  Dataset data_ = counts(25, 2, 5), held_out_ = counts(10, 2, 5, 6);
  FitOptions options_{.epochs = 4, .batch = 10, .execution = {.threads = 1}};
};

TEST_F(Checkpoint, AFitKilledBetweenEpochsGoesOnToTheSameBits) {
  struct Killed : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  EXPECT_THROW(run([](const Progress& progress) {
                 if (progress.record.epoch == 2) throw Killed("in the second epoch's report");
               }),
               Killed);
  expect_same(resume(), uninterrupted());
}

TEST_F(Checkpoint, AFitStoppedAtAnyStepGoesOnToTheSameBits) {
  for (const int asked : {1, 2, 5, 9}) {
    fs::remove(options_.checkpoint);
    options_.resume = false;
    int times = 0;
    const FitResult stopped = run({}, [&] { return ++times == asked; });
    EXPECT_TRUE(stopped.interrupted);
    EXPECT_EQ(stopped.history.size(), static_cast<std::size_t>((asked - 1) / 3));
    const FitResult whole = resume();
    EXPECT_FALSE(whole.interrupted);
    expect_same(whole, uninterrupted());
  }
}

TEST_F(Checkpoint, ResumingAFinishedFitReturnsItsResult) {
  const FitResult first = run();
  const FitResult again = resume();
  EXPECT_TRUE(std::ranges::equal(first.parameters.values(), again.parameters.values()));
  EXPECT_EQ(again.history.size(), 4u);
}

TEST_F(Checkpoint, ATruncatedFileIsRefused) {
  run();
  const std::string whole = bytes_of(options_.checkpoint);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(options_.checkpoint, std::ios::binary) << whole.substr(0, size);
    EXPECT_NE(refusal(), "") << size;
  }
  fs::remove(options_.checkpoint);
  EXPECT_NE(refusal(), "");
}

TEST_F(Checkpoint, AnotherSafetensorsFileIsRefused) {
  save_safetensors(initialize(latent_, 1), options_.checkpoint);
  EXPECT_NE(refusal().find("checkpoint"), std::string::npos);
}

TEST_F(Checkpoint, OfOtherOptionsDataOrModelIsRefusedByWhatDiffers) {
  run();
  const auto expect_named = [&](const std::string& what) {
    EXPECT_NE(refusal().find(what), std::string::npos) << refusal();
  };
  options_.batch = 11;
  expect_named("options/batch: got 11; accepted: 10");
  options_.batch = 10;
  options_.epochs = 5;
  expect_named("fit.epochs: got 5; accepted: 4");
  options_.epochs = 4;
  latent_.model.drift = Mlp{.hidden = {6}, .activation = Activation::relu};
  expect_named("model/drift/activation");
  latent_ = full_model(Gaussian{.learned = true});
  options_.energy_weight = 2;
  expect_named("options/energy_weight: got 2.0; accepted: nothing");
  options_.energy_weight = 1;
  options_.patience = 1;
  expect_named("options/patience");
  options_.patience = 0;
  data_.values[0] += 1;
  expect_named("training data");
  data_.values[0] -= 1;
  held_out_ = {};
  expect_named("held-out data");
  held_out_ = counts(10, 2, 5, 6);
  EXPECT_EQ(refusal(), "");
}

TEST_F(Checkpoint, UnderAConstantOrExponentialScheduleAFitCanBeMadeLonger) {
  for (const Schedule schedule : {Schedule::constant, Schedule::exponential}) {
    options_.schedule = schedule;
    options_.annealing_epochs = 1;
    options_.annealing_cycles = 2;
    options_.resume = false;
    options_.epochs = 2;
    run();
    options_.epochs = 4;
    const FitResult longer = resume();
    EXPECT_EQ(longer.history.size(), 4u);
    expect_same(longer, uninterrupted());
    options_.epochs = 3;
    EXPECT_NE(refusal().find("fit.epochs: got 3; accepted: at least 4"), std::string::npos);
  }
}

TEST_F(Checkpoint, UnderACosineAFitIsMadeLongerOnlyByPlanningAnewAndIsNotMadeShorter) {
  run();
  options_.epochs = 6;
  EXPECT_NE(refusal().find("fit.train_longer"), std::string::npos) << refusal();
  options_.train_longer = true;
  options_.epochs = 3;
  EXPECT_NE(refusal().find("fit.epochs: got 3; accepted: 4"), std::string::npos) << refusal();
  options_.epochs = 6;
  const FitResult longer = resume();
  ASSERT_EQ(longer.history.size(), 6u);
  // The first three of the new plan's six steps are its warm-up, from the old plan's last.
  const double rate = options_.learning_rate;
  EXPECT_NEAR(longer.history[3].learning_rate, 0.01 * rate, 1e-9 * rate);
  EXPECT_GT(longer.history[4].learning_rate, 0.5 * rate);
  EXPECT_NEAR(longer.history[5].learning_rate, 0.01 * rate, 1e-9 * rate);
  for (std::size_t e = 0; e < 6; ++e) EXPECT_EQ(longer.history[e].plan, e < 4 ? 1u : 2u);
}

TEST_F(Checkpoint, AFitMadeLongerGoesOnToTheSameBitsWhereverItIsBrokenOff) {
  const auto stopped_at = [&](int asked) {
    int times = 0;
    return fit(latent_, options_, data_, held_out_, {}, [&] { return ++times == asked; });
  };
  stopped_at(6);  // in the second epoch: the plan is made anew in its middle
  const std::string begun = bytes_of(options_.checkpoint);
  options_.resume = options_.train_longer = true;
  options_.epochs = 7;
  const FitResult whole = run();
  std::filesystem::copy_file(options_.checkpoint, folder_ / "whole.safetensors");
  EXPECT_EQ(whole.history[1].plan, 2u);
  for (const int asked : {1, 2, 9}) {
    std::ofstream(options_.checkpoint, std::ios::binary) << begun;
    options_.train_longer = true;
    EXPECT_TRUE(stopped_at(asked).interrupted);
    options_.train_longer = asked == 2;  // both before and after: the checkpoint has the plan
    expect_same(resume(), whole);
  }
}

TEST_F(Checkpoint, ARunFromAGivenStartGoesOnWithOrWithoutItsNameButNotFromAnother) {
  const Parameters start = scattered(latent_, 9);
  options_.start = start;
  int times = 0;
  run({}, [&] { return ++times == 5; });
  const std::string begun = bytes_of(options_.checkpoint);
  const FitResult whole = uninterrupted();
  for (const bool named : {true, false}) {
    std::ofstream(options_.checkpoint, std::ios::binary) << begun;
    options_.start = named ? start : Parameters();
    expect_same(resume(), whole);
  }
  options_.start = scattered(latent_, 10);
  EXPECT_NE(refusal().find("options/start"), std::string::npos) << refusal();
}

TEST_F(Checkpoint, OfAnotherVersionIsRefusedByName) {
  run();
  std::string bytes = bytes_of(options_.checkpoint);
  bytes.replace(bytes.find("ito-checkpoint-2"), 16, "ito-checkpoint-1");
  std::ofstream(options_.checkpoint, std::ios::binary) << bytes;
  EXPECT_NE(refusal().find("ito-checkpoint-1"), std::string::npos) << refusal();
}

TEST_F(Checkpoint, TrainingLongerNeedsARunToGoOnWith) {
  options_.train_longer = true;
  EXPECT_THROW(run(), Error);
}

TEST_F(Checkpoint, AnErrorLeavesTheLastOneIntact) {
  options_.schedule = Schedule::constant;
  options_.epochs = 1;
  run();
  const std::string before = bytes_of(options_.checkpoint);
  options_.epochs = 2;
  options_.resume = false;
  options_.learning_rate = std::numeric_limits<double>::max();
  EXPECT_THROW(run(), Error);
  EXPECT_EQ(bytes_of(options_.checkpoint), before);
}

TEST_F(Checkpoint, IsTheOnlyFileWritten) {
  run();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace ito::test
