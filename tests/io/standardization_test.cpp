#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <ito/standardization.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Columns of mean 4 and variance 5, and of 0.1 throughout.
SeriesDataset some_data() {
  return {
      .columns = {"a", "b"},
      .input_columns = {"u"},
      .series = {{.name = "1",
                  .times = {0, 1, 2},
                  .values = {1, 0.1F, nan, nan, 3, nan},
                  .inputs = {10, 20, 30}},
                 {.name = "2", .times = {0, 1}, .values = {7, 0.1F, 5, 0.1F}, .inputs = {4, 5}}}};
}

TEST(Standardizations, AreOfWhatIsObserved) {
  const Standardization fitted = fit_standardization(some_data());
  EXPECT_DOUBLE_EQ(fitted.mean[0], 4);
  EXPECT_DOUBLE_EQ(fitted.scale[0], std::sqrt(5.0));
  EXPECT_EQ(fitted.mean[1], double{0.1F});
  EXPECT_EQ(fitted.scale[1], 1);
}

TEST(Standardizations, AreAppliedAndUndone) {
  const Standardization fitted = fit_standardization(some_data());
  const SeriesDataset applied = fitted.apply(some_data());
  EXPECT_FLOAT_EQ(applied.series[1].values[0], 3 / std::sqrt(5.0F));
  EXPECT_EQ(applied.series[1].values[1], 0);
  EXPECT_TRUE(std::isnan(applied.series[0].values[2]));
  EXPECT_EQ(applied.series[0].inputs, some_data().series[0].inputs);
  const Standardization again = fit_standardization(applied);
  EXPECT_NEAR(again.mean[0], 0, 1e-7);  // a rounding of floats about 1
  EXPECT_NEAR(again.scale[0], 1, 1e-7);
  const SeriesDataset undone = fitted.undo(applied);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < undone.series[i].values.size(); ++k) {
      const float value = some_data().series[i].values[k], back = undone.series[i].values[k];
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(back));
      } else {
        EXPECT_NEAR(back, value, 1e-6F);  // z's rounding, 6e-8 of 1.3, times the scale, and y's
      }
    }
}

TEST(Standardizations, ThatDoNotFitAreRefused) {
  const Standardization fitted = fit_standardization(some_data());
  SeriesDataset data = some_data();
  data.columns.push_back("c");
  EXPECT_EQ(refusal([&] { fitted.apply(data); }), "columns: got 3; accepted: 2, as standardised");
  std::vector<float> rows{1, 2, 3};
  EXPECT_EQ(refusal([&] { fitted.undo(rows); }), "rows: got 3 numbers; accepted: rows of 2");
  rows = {3e38F, 0};
  EXPECT_TRUE(refusal([&] { fitted.undo(rows); }).starts_with("column 1: got 6.7"));
  data = some_data();
  for (Series& series : data.series)
    for (std::size_t i = 1; i < series.values.size(); i += 2) series.values[i] = nan;
  EXPECT_EQ(refusal([&] { fit_standardization(data); }),
            "column \"b\": got no value in any series; accepted: at least one");
}

TEST(Standardizations, ReadBackFromJsonAsTheyWere) {
  const Standardization fitted = fit_standardization(some_data());
  EXPECT_EQ(parse_standardization(to_json(fitted)), fitted);
  EXPECT_EQ(refusal([] { parse_standardization("{\"mean\": [1]}"); }),
            "scale: got nothing; accepted: a value: the key is needed");
  EXPECT_EQ(refusal([] { parse_standardization("{\"mean\": [1], \"scale\": [1, 2]}"); }),
            "standardization.scale: got 2 numbers; accepted: 1, as many as mean has");
  EXPECT_TRUE(refusal([] {
                parse_standardization("{\"mean\": [1], \"scale\": [0]}");
              }).starts_with("standardization.scale[0]: got 0"));
  EXPECT_TRUE(refusal([] {
                parse_standardization("{\"mean\": [1], \"scale\": [1], \"std\": 2}");
              }).find("unknown key") != std::string::npos);
  EXPECT_NE(refusal([] { to_json(Standardization{}); }), "accepted");
}

}  // namespace
}  // namespace ito
