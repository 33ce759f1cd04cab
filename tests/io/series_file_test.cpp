#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <ito/check.hpp>
#include <ito/series_file.hpp>

#include "io/file.hpp"
#include "io/npy.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "write_plainly.hpp"

namespace ito {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr double no_time = std::numeric_limits<double>::quiet_NaN();

/// The same bits, but that every NaN is the same.
template <class Number>
void expect_same(const std::vector<Number>& got, const std::vector<Number>& wanted) {
  using Bits = std::conditional_t<sizeof(Number) == 8, std::uint64_t, std::uint32_t>;
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE((std::isnan(got[i]) && std::isnan(wanted[i])) ||
                std::bit_cast<Bits>(got[i]) == std::bit_cast<Bits>(wanted[i]))
        << i << ": " << got[i] << " for " << wanted[i];
}

void expect_same(const SeriesDataset& got, const SeriesDataset& wanted) {
  EXPECT_EQ(got.columns, wanted.columns);
  EXPECT_EQ(got.input_columns, wanted.input_columns);
  ASSERT_EQ(got.names(), wanted.names());
  for (std::size_t i = 0; i < got.count(); ++i) {
    expect_same(got.series[i].times, wanted.series[i].times);
    expect_same(got.series[i].values, wanted.series[i].values);
    expect_same(got.series[i].inputs, wanted.series[i].inputs);
  }
}

SeriesDataset read_text(const std::string& text, const SeriesFormat& format = {}) {
  const TemporaryFolder folder;
  write_plainly(folder / "a.csv", text);
  return read_series(folder / "a.csv", format);
}

/// What reading says after the folder's name.
std::string refused_text(const std::string& text, const SeriesFormat& format = {}) {
  const TemporaryFolder folder;
  write_plainly(folder / "a.csv", text);
  const std::string message = refusal([&] { read_series(folder / "a.csv", format); });
  const std::string begin = folder.path().string() + "/";
  return message.starts_with(begin) ? message.substr(begin.size()) : message;
}

/// Numbers whose shortest digits matter, names that need quotes, times in double.
SeriesDataset awkward() {
  return {.columns = {"a, b", "say \"y\"", "NA"},
          .input_columns = {"u", "größe"},
          .series = {{.name = "one, \"two\"",
                      .times = {-1e300, 0.1, 0.1 + 0.2, 5},
                      .values = {0.1F, nan, -0.0F, nan, nan, nan, 1e-45F, 3.4e38F, 1.00000012F, nan,
                                 nan, nan},
                      .inputs = {0.3F, 1, 2, 3, 4, 5, 6, 1e-7F}},
                     {.name = "7", .times = {1.0 / 3}, .values = {nan, 5, nan}, .inputs = {-1, 0}},
                     {.name = "\"quoted\"",
                      .times = {5e-324, 1},
                      .values = {16777216, 2, 3, 4, 5, 6},
                      .inputs = {0, 0, 0, 0}}}};
}

TEST(SeriesCsv, ReadsColumnsInAnyOrderAndRowsThatMix) {
  const SeriesDataset data = read_text(
      "b,time,note,series,a,u\n"
      "1,0.5,x,s,,10\n"
      "NaN,-1,,t,2e1,11\n"
      "+3,0.75,\"p,q\",s,NA,12\n",
      {.exclude = {"note"}, .inputs = {"u"}});
  expect_same(
      data,
      {.columns = {"b", "a"},
       .input_columns = {"u"},
       .series = {
           {.name = "s", .times = {0.5, 0.75}, .values = {1, nan, 3, nan}, .inputs = {10, 12}},
           {.name = "t", .times = {-1}, .values = {nan, 20}, .inputs = {11}}}});
}

TEST(SeriesCsv, WithoutAColumnOfSeriesIsOneSeries) {
  const SeriesDataset data = read_text("day,y\n1,2\n3,4\n", {.time = "day"});
  expect_same(data,
              {.columns = {"y"}, .series = {{.name = "a", .times = {1, 3}, .values = {2, 4}}}});
}

TEST(SeriesCsv, OfARowForEachSeriesMayHaveMissingNumbers) {
  const std::vector<double> times{0, 1, 5};
  const SeriesDataset data = read_text("1,2,,4,5,NA\n,,,,,7\n", {.times = times, .wide_times = 3});
  expect_same(data,
              {.columns = {"y1", "y2"},
               .series = {{.name = "1", .times = times, .values = {1, 2, nan, 4, 5, nan}},
                          {.name = "2", .times = times, .values = {nan, nan, nan, nan, nan, 7}}}});
  const SeriesDataset stepped =
      read_text("a,b,c,d\n1,2,3,4\n", {.inputs = {"y1"}, .step = 0.5, .wide_times = 2});
  expect_same(stepped,
              {.columns = {"y2"},
               .input_columns = {"y1"},
               .series = {{.name = "1", .times = {0, 0.5}, .values = {2, 4}, .inputs = {1, 3}}}});
}

struct RefusedText {
  const char* name;
  std::string text;
  SeriesFormat format;
  std::string message;
};

class InvalidSeriesCsv : public testing::TestWithParam<RefusedText> {};

TEST_P(InvalidSeriesCsv, IsRefusedByFileLineColumnAndSeries) {
  EXPECT_EQ(refused_text(GetParam().text, GetParam().format), GetParam().message);
}

const RefusedText refused_texts[] = {
    {"empty",
     "",
     {},
     "a.csv: got an empty file; accepted: a line that names the columns, and rows"},
    {"names_alone",
     "series,time,y\n",
     {},
     "a.csv: got no rows of numbers; accepted: at least one row"},
    {"times_out_of_order",
     "series,time,y\na,0,1\nb,5,1\na,-1,2\n",
     {},
     "a.csv:4, column 2 \"time\", series \"a\": got \"-1\"; accepted: times that increase within a "
     "series: here above 0"},
    {"times_repeated",
     "time,y\n0.1,1\n0.10,2\n",
     {},
     "a.csv:3, column 1 \"time\", series \"a\": got \"0.10\"; accepted: times that increase within "
     "a "
     "series: here above 0.1"},
    {"no_value",
     "series,time,y\na,0,1\nb,5,\nb,6,nan\n",
     {},
     "a.csv: series \"b\": got 2 times without a value; accepted: at least one value"},
    {"unknown_exclude",
     "time,y\n0,1\n",
     {.exclude = {"z"}},
     "a.csv:1, exclude: got no column \"z\"; accepted: y"},
    {"unknown_input",
     "time,y,z\n0,1,2\n",
     {.inputs = {"time"}},
     "a.csv:1, inputs: got no column \"time\"; accepted: y, z"},
    {"twice_excluded",
     "time,y,z\n0,1,2\n",
     {.exclude = {"z", "z"}},
     "a.csv:1, exclude: got \"z\" twice; accepted: each column once"},
    {"excluded_input",
     "time,y,z\n0,1,2\n",
     {.exclude = {"z"}, .inputs = {"z"}},
     "a.csv:1: got \"z\" both in exclude and in inputs; accepted: each column in one of them"},
    {"no_column",
     "time,y\n0,1\n",
     {.inputs = {"y"}},
     "a.csv:1: got no column of values; accepted: at least one besides series, time, inputs and "
     "what is excluded"},
    {"no_time",
     "0,1\n2,3\n",
     {},
     "a.csv:1: got no column \"time\" among 0, 1; accepted: a line that names the columns, that of "
     "times as the format says; or, where a row is a series, its number of times (wide_times)"},
    {"no_series",
     "time,y\n0,1\n",
     {.series = "who"},
     "a.csv:1: got no column \"who\" among time, y; accepted: the name of the column that says a "
     "row's series"},
    {"column_twice",
     "time,y,y\n0,1,2\n",
     {},
     "a.csv:1, column 3: got \"y\"; accepted: one column of that name"},
    {"index",
     ",time,y\n0,0,1\n",
     {},
     "a.csv:1, column 1: got \"\"; accepted: a name for every column (pandas leaves out the index "
     "of "
     "rows, which has none, by index=False)"},
    {"id",
     "id,time,y\n0,0,1\n",
     {},
     "a.csv:1, column 1: got \"id\"; accepted: columns of observations: exclude it, say that it is "
     "the series, the time or an input, or rename one that is an observation"},
    {"label",
     "time,y,label\n0,1,2\n",
     {},
     "a.csv:1, column 3: got \"label\"; accepted: columns of observations: exclude it, say that it "
     "is the series, the time or an input, or rename one that is an observation"},
    {"text",
     "series,time,y\ns,0,high\n",
     {},
     "a.csv:2, column 3 \"y\", series \"s\": got \"high\"; accepted: a number, or nothing where "
     "one "
     "is missing"},
    {"text_time",
     "series,time,y\ns,2020-01-01,1\n",
     {},
     "a.csv:2, column 2 \"time\", series \"s\": got \"2020-01-01\"; accepted: a number"},
    {"no_time_cell",
     "series,time,y\ns,,1\n",
     {},
     "a.csv:2, column 2 \"time\", series \"s\": got \"\"; accepted: a number (none may be "
     "missing)"},
    {"infinite_time",
     "series,time,y\ns,inf,1\n",
     {},
     "a.csv:2, column 2 \"time\", series \"s\": got \"inf\"; accepted: finite times"},
    {"infinite",
     "series,time,y\ns,0,-inf\n",
     {},
     "a.csv:2, column 3 \"y\", series \"s\": got \"-inf\"; accepted: finite numbers up to 3.4e38"},
    {"missing_input",
     "series,time,y,u\ns,0,1,\n",
     {.inputs = {"u"}},
     "a.csv:2, column 4 \"u\", series \"s\": got \"\"; accepted: a number (none may be missing)"},
    {"unnamed_series",
     "series,time,y\n,0,1\n",
     {},
     "a.csv:2, column 1 \"series\": got \"\"; accepted: the name of a series"},
    {"short_row",
     "series,time,y\ns,0\n",
     {},
     "a.csv:2: got 2 columns; accepted: 3 columns, as in the first line"},
    {"semicolons",
     "series;time;y\ns;0;1\n",
     {},
     "a.csv:1: got semicolons between the columns; accepted: commas between columns, and decimal "
     "points, not commas, in numbers (tr ',;' '.,' makes the one the other)"},
    {"blank",
     "time,y\n\n0,1\n",
     {},
     "a.csv:2: got a blank line; accepted: blank lines at the end only"},
    {"wide_columns",
     "1,2,3\n",
     {.wide_times = 2},
     "a.csv: got 3 columns for 2 observation times; accepted: a multiple of 2 columns"},
    {"wide_text",
     "1,2\n1,x\n",
     {.wide_times = 2},
     "a.csv:2, column 2: got \"x\"; accepted: a number, or nothing where one is missing"},
    {"wide_without_a_value",
     "1,2\nNA,\n",
     {.wide_times = 2},
     "a.csv: series \"2\": got 2 times without a value; accepted: at least one value"},
    {"wide_times",
     "1,2\n",
     {.times = {0, 1, 2}, .wide_times = 2},
     "a.csv: got series of 2 times; accepted: 3 times, as in times"},
    {"wide_times_order",
     "1,2\n",
     {.times = {1, 0}, .wide_times = 2},
     "a.csv: series \"1\", time 2 of 2: got a time of 0 after one of 1; accepted: times that "
     "increase within a series"},
    {"json", "{}", {}, "a.csv: got JSON text; accepted: CSV text, a .npy or .npz file"},
};
INSTANTIATE_TEST_SUITE_P(Series, InvalidSeriesCsv, testing::ValuesIn(refused_texts),
                         [](const auto& test) { return test.param.name; });

TEST(SeriesCsv, ThatIsWrittenReadsBackAsItWas) {
  const TemporaryFolder folder;
  write_series_csv(folder / "a.csv", awkward());
  expect_same(read_series(folder / "a.csv", {.inputs = awkward().input_columns}), awkward());
  EXPECT_EQ(folder.size(), 1u);
}

TEST(SeriesCsv, ThatCouldNotBeReadIsNotWritten) {
  const TemporaryFolder folder;
  SeriesDataset data = awkward();
  data.columns[1] = "t";
  EXPECT_TRUE(
      refusal([&] { write_series_csv(folder / "a.csv", data); }).starts_with("columns: got \"t\""));
  data = awkward();
  data.input_columns[1] = "time";
  EXPECT_TRUE(refusal([&] {
                write_series_csv(folder / "a.csv", data);
              }).starts_with("input_columns: got \"time\""));
  data = awkward();
  data.series[2].times[1] = 0;
  for (const auto& write : {write_series_csv, write_series_npz})
    EXPECT_TRUE(refusal([&] {
                  write(folder / "a", data);
                }).starts_with("series \"\"quoted\"\", time 2 of 2"));
  EXPECT_EQ(folder.size(), 0u);
}

TEST(SeriesNpz, ThatIsWrittenReadsBackAsItWas) {
  const TemporaryFolder folder;
  write_series_npz(folder / "a.npz", awkward());
  expect_same(read_series(folder / "a.npz"), awkward());
  SeriesDataset plain = awkward();
  plain.input_columns.clear();
  for (Series& series : plain.series) series.inputs.clear();
  write_series_npz(folder / "a.npz", plain);
  expect_same(read_series(folder / "a.npz"), plain);
  EXPECT_EQ(folder.size(), 1u);
}

TEST(SeriesNpy, OfThreeAxesIsCompleteOrHasNaN) {
  const TemporaryFolder folder;
  const std::vector<double> y{1, 2, std::nan(""), 4, 5, 6, 7, 8};
  write_npy(folder / "a.npy", ArrayView("", {2, 2, 2}, std::span<const double>(y)));
  expect_same(read_series(folder / "a.npy", {.step = 0.25}),
              {.columns = {"y1", "y2"},
               .series = {{.name = "1", .times = {0, 0.25}, .values = {1, 2, nan, 4}},
                          {.name = "2", .times = {0, 0.25}, .values = {5, 6, 7, 8}}}});
  expect_same(read_series(folder / "a.npy", {.exclude = {"y1"}, .times = {3, 4}}),
              {.columns = {"y2"},
               .series = {{.name = "1", .times = {3, 4}, .values = {2, 4}},
                          {.name = "2", .times = {3, 4}, .values = {6, 8}}}});
}

/// Arrays of 2 series of 3 times of 2 numbers.
struct Arrays {
  std::vector<float> y{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<double> times{0, 1, 2, 0, 3, no_time};
  std::vector<std::uint8_t> mask{1, 1, 0, 1, 1, 0};
  std::vector<std::int64_t> inputs{1, 2, 3, 4, 5, 6};

  ArrayView y_view() const { return {"y", {2, 3, 2}, std::span(y)}; }
  ArrayView times_view() const { return {"times", {2, 3}, std::span(times)}; }
  ArrayView mask_view() const { return {"mask", {2, 3}, std::span(mask)}; }
  ArrayView inputs_view() const { return {"inputs", {2, 3, 1}, std::span(inputs)}; }
};

SeriesDataset read_arrays(const std::vector<ArrayView>& arrays, const char* name = "",
                          const SeriesFormat& format = {}) {
  const TemporaryFolder folder;
  write_npz(folder / "a.npz", arrays);
  return read_series((folder / "a.npz").string() + name, format);
}

TEST(SeriesNpz, HasTimesMaskAndInputsAndEndsWithPadding) {
  const Arrays a;
  const SeriesDataset data =
      read_arrays({a.y_view(), a.times_view(), a.mask_view(), a.inputs_view()});
  expect_same(
      data,
      {.columns = {"y1", "y2"},
       .input_columns = {"u1"},
       .series = {
           {.name = "1", .times = {0, 1, 2}, .values = {1, 2, 3, 4, nan, nan}, .inputs = {1, 2, 3}},
           {.name = "2", .times = {0, 3}, .values = {7, 8, 9, 10}, .inputs = {4, 5}}}});
}

TEST(SeriesNpz, MaySayTheTimesOfAllSeriesAndMaskSingleNumbers) {
  const Arrays a;
  const std::vector<std::int32_t> times{2, 4, 8};
  std::vector<float> y = a.y;
  y[4] = HUGE_VALF;  // masked
  const std::vector<double> mask{1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1};
  const SeriesDataset data = read_arrays({{"times", {3}, std::span(times)},
                                          {"mask", {2, 3, 2}, std::span(mask)},
                                          {"y", {2, 3, 2}, std::span<const float>(y)}});
  expect_same(data,
              {.columns = {"y1", "y2"},
               .series = {{.name = "1", .times = {2, 4, 8}, .values = {1, 2, 3, 4, nan, 6}},
                          {.name = "2", .times = {2, 4, 8}, .values = {7, 8, 9, 10, 11, 12}}}});
}

TEST(SeriesNpz, OfManyArraysHasTheOneNamed) {
  const Arrays a;
  const ArrayView other("x", {2, 3, 2}, std::span(a.y));
  EXPECT_EQ(read_arrays({other}).observed(), 12u);
  EXPECT_EQ(read_arrays({other, a.y_view(), a.mask_view()}, ":x").observed(), 8u);
}

TEST(SeriesNpz, IsRefusedByArray) {
  const Arrays a;
  const auto refused = [](const std::vector<ArrayView>& arrays, const SeriesFormat& format = {}) {
    const std::string message = refusal([&] { read_arrays(arrays, "", format); });
    const auto name = message.find("a.npz");
    return name == std::string::npos ? message : message.substr(name);
  };
  const ArrayView flat("y", {2, 6}, std::span(a.y));
  EXPECT_EQ(refused({flat}),
            "a.npz, array \"y\": got shape [2, 6]; accepted: shapes [N, T, D] without a 0");
  EXPECT_TRUE(refused({a.y_view(), {"x", {2, 6}, std::span(a.y)}})
                  .starts_with("a.npz: got an array \"x\" beside y; accepted: times, mask, inputs, "
                               "series, columns, input_columns beside it; "));
  EXPECT_EQ(
      refused({a.y_view(), {"times", {6}, std::span(a.times)}}),
      "a.npz, array \"times\": got shape [6]; accepted: shape [3] or [2, 3] beside y of shape "
      "[2, 3, 2]");
  EXPECT_EQ(refused({a.y_view(), {"mask", {6}, std::span(a.mask)}}),
            "a.npz, array \"mask\": got shape [6]; accepted: shape [2, 3, 2] or [2, 3] beside y of "
            "shape [2, 3, 2]");
  EXPECT_EQ(refused({a.y_view(), {"inputs", {3, 2, 1}, std::span(a.inputs)}}),
            "a.npz, array \"inputs\": got shape [3, 2, 1]; accepted: shape [2, 3, 1] beside y of "
            "shape [2, 3, 2]");
  Arrays b;
  b.mask[4] = 2;
  EXPECT_EQ(refused({b.y_view(), b.mask_view()}),
            "a.npz, array \"mask\", series 2, time 2: got 2; accepted: 0 (missing) and 1");
  b = {};
  EXPECT_EQ(refused({b.y_view(), b.times_view()}),
            "a.npz: series \"2\", time 3 of 3: got a time of nan; accepted: finite times");
  b.times = {0, 1, 1, 0, 1, 2};
  EXPECT_EQ(
      refused({b.y_view(), b.times_view()}),
      "a.npz: series \"1\", time 3 of 3: got a time of 1 after one of 1; accepted: times that "
      "increase within a series");
  b.mask = {1, 1, 1, 0, 0, 0};
  EXPECT_EQ(refused({b.y_view(), b.mask_view()}),
            "a.npz: series \"2\": got 3 times without a value; accepted: at least one value");
  b.y[3] = -HUGE_VALF;
  EXPECT_EQ(
      refused({b.y_view()}),
      "a.npz: series \"1\", time 2 of 3, column \"y2\": got -inf; accepted: finite numbers, or "
      "NaN where one is missing");
  const std::vector<std::uint8_t> names{'a', '\n', 'b', '\n', 'c'};
  EXPECT_EQ(refused({a.y_view(), {"columns", {5}, std::span(names)}}),
            "a.npz, array \"columns\": got 3 names; accepted: 2, each a line");
  EXPECT_EQ(refused({a.y_view(), {"columns", {2, 6}, std::span(a.y)}}),
            "a.npz, array \"columns\": got f32; accepted: bytes of UTF-8 text (u1)");
  EXPECT_EQ(refused({a.y_view()}, {.exclude = {"y3"}}),
            "a.npz, exclude: got no column \"y3\"; accepted: y1, y2");
  EXPECT_EQ(refused({a.y_view()}, {.step = 0}), refusal([] { check_positive("step", 0); }));
}

}  // namespace
}  // namespace ito
