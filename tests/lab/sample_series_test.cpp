#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <ito/averages.hpp>
#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>

#include "lab/linear_series.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

const std::vector<double> times{0.1, 0.35, 1.2};

struct Sampled {
  SeriesModel model = linear_series(NoEncoder{});
  Parameters parameters = parameters_of(latent_series(model, some_series(1, 1)).latent, 0);

  SeriesDataset draw(std::size_t count, const SampleOptions& options = {}) const {
    return sample_series(model, parameters, times, count, options);
  }
};

TEST(SampledSeries, HaveTheMomentsOfTheChain) {
  constexpr std::size_t count = 20'000;
  for (const double start : {-0.25, 0.1}) {
    Sampled of;
    of.model.start = start;
    const SeriesDataset drawn = of.draw(count, {.seed = 4, .execution = {Device::cpu()}});
    std::vector<double> through{start};
    through.insert(through.end(), times.begin() + (start == times[0] ? 1 : 0), times.end());
    // What is filtered until something is observed is the prior.
    const Series later{.times = {2}, .values = {0, 0}};
    through.push_back(2);
    const EulerMaruyamaChain chain{
        grid_through(through, of.model.longest_step, of.model.steps_between).times};
    const LinearGaussianModel exact = linear(start);
    const GaussianLaws laws = observed_laws(exact, kalman(exact, later, times, chain).filtered);
    for (std::size_t i = 0; i < 6; ++i) {
      Averages averages;
      for (const Series& series : drawn.series) averages.add(static_cast<double>(series.values[i]));
      const double variance = laws.covariance[i * 2 + i % 2];
      EXPECT_NEAR(averages.mean(), laws.mean[i], 4 * std::sqrt(variance / count));
      EXPECT_NEAR(averages.variance(), variance, 4 * std::sqrt(2.0 / count) * variance);
    }
  }
}

/// As of a model whose own grid goes through the times.
TEST(SampledSeries, AreTheSamplesOfTheModelOnTheSameGrid) {
  Sampled of;
  LatentModel latent = of.model.latent;
  const ObservationGrid grid = grid_through(times, of.model.longest_step, of.model.steps_between);
  latent.model.grid = grid.times;
  latent.model.save = grid.save;
  for (const bool mean : {false, true}) {
    const SampleOptions options{.seed = 6, .mean = mean, .execution = {Device::cpu()}};
    const Dataset expected = sample(latent, of.parameters, 40, options);
    const SeriesDataset got = of.draw(40, options);
    for (std::size_t i = 0; i < 40; ++i) {
      const auto row = expected.row(i);
      EXPECT_EQ(got.series[i].values, std::vector<float>(row.begin(), row.end()));
      EXPECT_EQ(got.series[i].name, std::to_string(i + 1));
      EXPECT_EQ(got.series[i].times, times);
    }
    check_series(got);
    EXPECT_EQ(got.columns, (std::vector<std::string>{"y1", "y2"}));
  }
}

/// Each at its own times, of which a longer one beside it changes nothing.
TEST(SampledSeries, AreLikeThoseGiven) {
  Sampled of;
  of.model.standardization = Standardization{{1, 2}, {3, 4}};
  const SampleOptions options{.seed = 6, .execution = {Device::cpu()}};
  SeriesDataset like = some_series(3, 2);
  like.series[1].times = times;
  like.series[1].values.assign(6, 0.5F);
  const SeriesDataset drawn = sample_series(of.model, of.parameters, like, options);
  check_series(drawn);
  EXPECT_EQ(drawn.columns, like.columns);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(drawn.series[i].name, like.series[i].name);
    EXPECT_EQ(drawn.series[i].times, like.series[i].times);
    const SeriesDataset same =
        sample_series(of.model, of.parameters, like.series[i].times, i + 1, options);
    EXPECT_EQ(drawn.series[i].values, same.series[i].values);
  }
  const std::vector<float> inputs{1};
  EXPECT_TRUE(refusal([&] {
                sample_series(of.model, of.parameters, like, {.inputs = inputs});
              }).starts_with("sample.inputs: got 1 numbers; accepted: none"));
}

TEST(SampledSeries, AreOfYAsItWasAndNamedByTheModel) {
  Sampled of;
  const SeriesDataset inner = of.draw(3);
  of.model.standardization = Standardization{{3, -1e30}, {2, 1e25}};
  of.model.columns = {"angle", "speed"};
  const SeriesDataset outer = of.draw(3);
  EXPECT_EQ(outer.columns, of.model.columns);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(outer.series[i].values, of.model.standardization->undo(inner).series[i].values);
}

TEST(SampledSeries, RefuseWhatTheyCannotBe) {
  Sampled of;
  const auto message = [&](const std::vector<double>& at, std::size_t count) {
    return refusal([&] { sample_series(of.model, of.parameters, at, count); });
  };
  EXPECT_EQ(message({}, 1), "times: got none; accepted: at least one");
  EXPECT_EQ(message({1, 1}, 1), "times[1]: got 1; accepted: times above 1, the one before");
  EXPECT_TRUE(message({1}, 0).starts_with("sample.count: got 0")) << message({1}, 0);
  of.model.start = 2;
  EXPECT_EQ(message({1}, 1), "times[0]: got 1; accepted: times from 2 on, the model's start");
}

}  // namespace
}  // namespace ito::test
