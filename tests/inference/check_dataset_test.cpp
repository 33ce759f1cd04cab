#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include <ito/ito.hpp>

namespace ito {
namespace {

std::string complaint(const Likelihood& likelihood, float bad) {
  LatentModel latent{.likelihood = likelihood, .observed = 2};
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
    for (const float bad : {-1.0f, 0.5f, nan, infinity})
      EXPECT_NE(complaint(counts, bad), "") << bad;
  }
  EXPECT_EQ(complaint(Binomial{16}, 16), "");
  EXPECT_EQ(complaint(Poisson{}, 1e6f), "");
  for (const Likelihood& real : {Likelihood{Gaussian{}}, Likelihood{StudentT{}}}) {
    EXPECT_EQ(complaint(real, -3.25f), "");
    for (const float bad : {nan, infinity}) EXPECT_NE(complaint(real, bad), "") << bad;
  }
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
