#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <ito/series.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

/// Series "0", "1", ..., with times 0, 1, 2, 3.
SeriesDataset some_series(std::size_t count) {
  SeriesDataset data{.columns = {"y"}, .input_columns = {"u", "v"}};
  for (std::size_t i = 0; i < count; ++i)
    data.series.push_back({.name = std::to_string(i),
                           .times = {0, 1, 2, 3},
                           .values = {std::numeric_limits<float>::quiet_NaN(), 5, 6, 7},
                           .inputs = {0, 1, 2, 3, 4, 5, 6, 7}});
  return data;
}

TEST(SeriesSplits, PartAllSeriesBySeedInTheirOrder) {
  const SeriesDataset data = some_series(10);
  std::map<std::vector<std::string>, int> drawn;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SeriesSplit split = split_series(data, 3, seed);
    const std::vector<std::string> first = split.first.names(), second = split.second.names();
    EXPECT_EQ(first, split_series(data, 3, seed).first.names());
    EXPECT_EQ(first, split_fraction(data, 0.28, seed).first.names());
    EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
    EXPECT_TRUE(std::is_sorted(second.begin(), second.end()));
    std::vector<std::string> all;
    std::merge(first.begin(), first.end(), second.begin(), second.end(), std::back_inserter(all));
    EXPECT_EQ(all, data.names());
    EXPECT_EQ(split.first.input_columns, data.input_columns);
    EXPECT_EQ(split.second.series[0].inputs, data.series[0].inputs);
    ++drawn[first];
  }
  EXPECT_GT(drawn.size(), 10u);
}

TEST(SeriesSplits, WithoutBothPartsAreRefused) {
  const SeriesDataset data = some_series(10);
  EXPECT_EQ(refusal([&] { split_series(data, 0, 1); }), "count: got 0; accepted: 1 to 9");
  EXPECT_EQ(refusal([&] { split_series(data, 10, 1); }), "count: got 10; accepted: 1 to 9");
  EXPECT_EQ(refusal([&] { split_fraction(data, 0.04, 1); }), "count: got 0; accepted: 1 to 9");
  EXPECT_EQ(refusal([&] { split_series(some_series(1), 1, 1); }),
            "series: got 1; accepted: at least two to split");
  for (const double fraction : {0.0, 1.0, std::nan("")})
    EXPECT_TRUE(refusal([&] { split_fraction(data, fraction, 1); }).starts_with("fraction: got "));
}

TEST(SeriesSplits, InTimePutWhatIsSeenUntilThenFirst) {
  SeriesDataset data = some_series(2);
  data.series[1].times = {0, 0.5, 0.75, 1};
  const SeriesSplit split = split_after(data, 1);
  EXPECT_EQ(split.first.names(), data.names());
  EXPECT_EQ(split.second.names(), data.names());
  EXPECT_EQ(split.first.series[0].times, (std::vector<double>{0, 1}));
  EXPECT_TRUE(std::isnan(split.first.series[0].values[0]));
  EXPECT_EQ(split.first.series[0].values[1], 5);
  EXPECT_EQ(split.first.series[0].inputs, (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(split.second.series[0].times, (std::vector<double>{2, 3}));
  EXPECT_EQ(split.second.series[0].values, (std::vector<float>{6, 7}));
  EXPECT_EQ(split.second.series[0].inputs, (std::vector<float>{4, 5, 6, 7}));
  EXPECT_EQ(split.first.series[1].length(), 4u);
  EXPECT_EQ(split.second.series[1].length(), 0u);
  EXPECT_TRUE(split.second.series[1].inputs.empty());
}

TEST(SeriesSplits, InTimeRefuseASeriesOfWhichNothingIsSeen) {
  SeriesDataset data = some_series(2);
  data.series[1].times = {-1, -0.5, 2, 3};
  for (const double time : {-2.0, 0.5})
    EXPECT_EQ(refusal([&] { split_after(data, time); }),
              "series \"0\": got no value until " + std::string(time < 0 ? "-2" : "0.5") +
                  "; accepted: at least one until the time of the split");
}

}  // namespace
}  // namespace ito
