#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include <ito/ito.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

std::string complaint(const Likelihood& likelihood, float bad, const Encoder& encoder = {}) {
  LatentModel latent{.encoder = encoder, .likelihood = likelihood, .observed = 2};
  latent.model.save = {1, 2};
  Dataset data{.count = 3, .times = 2, .dimension = 2, .values = std::vector<float>(12, 1.0f)};
  data.values[6] = bad;  // row 2, time 2, first number
  try {
    check_dataset(data, latent);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(CheckDataset, NamesTheRowTheColumnTheValueAndWhatIsAccepted) {
  EXPECT_EQ(complaint(Binomial{16}, 17),
            "data row 2 of 3, column 3: got 17; accepted: integers from 0 to 16 (likelihood)");
  EXPECT_EQ(complaint(Bernoulli{}, 0.5f),
            "data row 2 of 3, column 3: got 0.5; accepted: integers from 0 to 1 (likelihood)");
}

TEST(CheckDataset, TakesExactlyTheValuesOfEachLikelihood) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Likelihood& counts :
       {Likelihood{Bernoulli{}}, Likelihood{Binomial{16}}, Likelihood{Poisson{}}}) {
    EXPECT_EQ(complaint(counts, 0), "");
    EXPECT_EQ(complaint(counts, nan), "");  // missing
    for (const float bad : {-1.0f, 0.5f, infinity}) EXPECT_NE(complaint(counts, bad), "") << bad;
  }
  EXPECT_EQ(complaint(Binomial{16}, 16), "");
  EXPECT_EQ(complaint(Poisson{}, 1e6f), "");
  for (const Likelihood& real : {Likelihood{Gaussian{}}, Likelihood{StudentT{}}}) {
    EXPECT_EQ(complaint(real, -3.25f), "");
    EXPECT_EQ(complaint(real, nan), "");
    EXPECT_NE(complaint(real, infinity), "");
  }
}

TEST(CheckDataset, TakesMissingNumbersWhereTheEncoderDoes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(complaint(Gaussian{}, nan, GruEncoder{}), "");
  EXPECT_EQ(complaint(Gaussian{}, nan, AttentionEncoder{}), "");
  EXPECT_EQ(complaint(Gaussian{}, nan, MlpEncoder{}),
            "data row 2 of 3, column 3: got nan; accepted: finite numbers (likelihood); missing "
            "numbers with an encoder \"gru\" or \"attention\", or none");
  EXPECT_NE(complaint(Gaussian{}, nan, IdentityEncoder{}), "");
  LatentModel latent{.observed = 2};
  latent.model.save = {1};
  const Dataset nothing{.count = 2, .times = 1, .dimension = 2, .values = {1, nan, nan, nan}};
  EXPECT_EQ(refusal([&] { check_dataset(nothing, latent); }),
            "data row 2 of 2: got nothing but missing numbers; accepted: at least one that is "
            "there");
}

/// Rows with grids of their own: as many as rows, which fit the model, with nothing after the end.
TEST(CheckDataset, ChecksTheGridsOfRows) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  LatentModel latent{.observed = 1};
  latent.model.grid = uniform_grid(1, 2);
  latent.model.save = {1, 2};
  Dataset data{.count = 2, .times = 2, .dimension = 1, .values = {1, 2, 3, nan}};
  data.grids = {{{0, 0.5, 0.9}, {0, 2}, {}}, {{0, 0.3}, {1}, {}}};
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }), "accepted");
  data.values[3] = 4;
  latent.encoder = MlpEncoder{};
  EXPECT_EQ(
      refusal([&] { check_dataset(data, latent); }),
      "data.grids[1].save: got 1 steps; accepted: 2 with an encoder of whole rows; fewer with "
      "\"gru\" or \"attention\", or none");
  latent.encoder = NoEncoder{};
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }),
            "data row 2 of 2: got numbers after time 1; accepted: NaN there: the row's grid has no "
            "more save steps");
  data.grids[1].times = {0, 0.3, 0.2};
  EXPECT_TRUE(refusal([&] { check_dataset(data, latent); }).starts_with("grids[1].times[2]: got"));
  data.grids.pop_back();
  EXPECT_EQ(refusal([&] { check_dataset(data, latent); }),
            "data.grids: got 1; accepted: none, or 2: one a row");
}

TEST(CheckDataset, RefusesOtherShapes) {
  LatentModel latent{.observed = 2};
  latent.model.save = {1};
  EXPECT_THROW(check_dataset({}, latent), Error);
  EXPECT_THROW(check_dataset({.count = 1, .times = 1, .dimension = 3, .values = {1, 2, 3}}, latent),
               Error);
  EXPECT_THROW(
      check_dataset({.count = 1, .times = 2, .dimension = 2, .values = {1, 2, 3, 4}}, latent),
      Error);
  EXPECT_THROW(check_dataset({.count = 2, .times = 1, .dimension = 2, .values = {1, 2, 3}}, latent),
               Error);
}

}  // namespace
}  // namespace ito
