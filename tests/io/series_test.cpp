#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <ito/series.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Two series of two columns and one input.
SeriesDataset two_series() {
  return {.columns = {"a", "b"},
          .input_columns = {"u"},
          .series = {{.name = "first",
                      .times = {0, 0.5, 2},
                      .values = {1, nan, nan, nan, 3, 4},
                      .inputs = {7, 8, 9}},
                     {.name = "second", .times = {-1}, .values = {nan, 5}, .inputs = {6}}}};
}

template <class Change>
std::string refused(Change&& change) {
  SeriesDataset data = two_series();
  change(data);
  return refusal([&] { check_series(data); });
}

TEST(Series, CountWhatIsObserved) {
  const SeriesDataset data = two_series();
  EXPECT_EQ(refusal([&] { check_series(data); }), "accepted");
  EXPECT_EQ(data.count(), 2u);
  EXPECT_EQ(data.dimension(), 2u);
  EXPECT_EQ(data.input_dimension(), 1u);
  EXPECT_EQ(data.times(), 4u);
  EXPECT_EQ(data.series[0].observed(), 3u);
  EXPECT_EQ(data.observed(), 4u);
}

TEST(Series, AreSelectedByIndex) {
  const std::size_t order[] = {1, 0, 1};
  const SeriesDataset chosen = two_series().select(order);
  ASSERT_EQ(chosen.count(), 3u);
  EXPECT_EQ(chosen.series[0].name, "second");
  EXPECT_EQ(chosen.series[1].inputs, (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(chosen.columns, two_series().columns);
  const std::size_t none[] = {2};
  EXPECT_EQ(refusal([&] { two_series().select(none); }),
            "index of a series: got 2; accepted: integers below 2");
}

TEST(Series, ThatAreNoneAreRefusedByName) {
  EXPECT_TRUE(refused([](SeriesDataset& data) {
                data.series.clear();
              }).starts_with("series: got 0; accepted: "));
  EXPECT_TRUE(
      refused([](SeriesDataset& data) { data.columns.clear(); }).starts_with("columns: got 0"));
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[1].name = "first"; }),
            "series: got \"first\" twice; accepted: different names");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.input_columns = {"b"}; }),
            "columns: got \"b\" twice; accepted: different names");
  for (const char* name : {"", " a", "a\t", "two\nlines"})
    EXPECT_NE(refused([&](SeriesDataset& data) {
                data.columns[0] = name;
              }).find("names of one line without spaces at their ends"),
              std::string::npos)
        << name;
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[0].values.pop_back(); }),
            "series \"first\", values: got 5 numbers; accepted: 3 × 2 (times × columns)");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[1].inputs.clear(); }),
            "series \"second\", inputs: got 0 numbers; accepted: 1 × 1 (times × columns)");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[0].times[1] = 2; }),
            "series \"first\", time 3 of 3: got a time of 2 after one of 2; accepted: times that "
            "increase within a series");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[0].times[2] = HUGE_VAL; }),
            "series \"first\", time 3 of 3: got a time of inf; accepted: finite times");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[0].values[1] = -HUGE_VALF; }),
            "series \"first\", time 1 of 3, column \"b\": got -inf; accepted: finite numbers, or "
            "NaN where one is missing");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[0].inputs[2] = nan; }),
            "series \"first\", time 3 of 3, column \"u\": got nan; accepted: finite numbers (no "
            "input may be missing)");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[1].values[1] = nan; }),
            "series \"second\": got 1 times without a value; accepted: at least one value");
  EXPECT_EQ(refused([](SeriesDataset& data) { data.series[1] = {.name = "none"}; }),
            "series \"none\": got 0 times without a value; accepted: at least one value");
}

}  // namespace
}  // namespace ito
