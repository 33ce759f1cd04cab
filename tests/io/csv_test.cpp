#include "io/csv.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "refusal.hpp"

namespace ito {
namespace {

struct Accepted {
  const char* name;
  std::string text;
  std::size_t columns;
  std::vector<float> values;
};

class ValidCsv : public testing::TestWithParam<Accepted> {};

TEST_P(ValidCsv, GivesItsNumbers) {
  const CsvTable table = parse_csv(GetParam().text, "a.csv");
  EXPECT_EQ(table.columns, GetParam().columns);
  EXPECT_EQ(table.values, GetParam().values);
  EXPECT_EQ(table.rows(), GetParam().values.size() / GetParam().columns);
}

const Accepted accepted[] = {
    {"plain", "1,2\n3,4\n", 2, {1, 2, 3, 4}},
    {"no_newline_at_the_end", "1,2\n3,4", 2, {1, 2, 3, 4}},
    {"one_number", "5", 1, {5}},
    {"header", "a,b\n1,2\n", 2, {1, 2}},
    {"label_dropped", "a,label,b\n1,x,2\n3,,4\n", 2, {1, 2, 3, 4}},
    {"numbers_as_names_with_label", "0,1,label\n5,6,7\n", 2, {5, 6}},
    {"quotes", "\"a, b\",\"label\",\"c\"\n\"1\",2,\" 3 \"\n", 2, {1, 3}},
    {"crlf", "a,b\r\n1,2\r\n3,4\r\n", 2, {1, 2, 3, 4}},
    {"blank_lines_at_the_end", "1,2\n\n \r\n\t\n", 2, {1, 2}},
    {"byte_order_mark",
     "\xef\xbb\xbf"
     "1,2\n",
     2,
     {1, 2}},
    {"spaces", " 1 ,\t2\n", 2, {1, 2}},
    {"spellings", "+1,-2,.5,1e2,1E-2,-0\n", 6, {1, -2, 0.5F, 100, 0.01F, -0.0F}},
    {"too_small_for_float", "1e-60,-1e-400\n", 2, {0, 0}},
    // Halfway between two floats but for one digit a double cannot hold: rounding twice gives 1.
    {"rounded_once", "1.00000005960464477540\n", 1, {1.00000012F}},
};
INSTANTIATE_TEST_SUITE_P(Csv, ValidCsv, testing::ValuesIn(accepted),
                         [](const auto& test) { return test.param.name; });

struct Refused {
  const char* name;
  std::string text;
  const char* message;
};

class InvalidCsv : public testing::TestWithParam<Refused> {};

TEST_P(InvalidCsv, IsRefusedByFileLineAndColumn) {
  EXPECT_EQ(refusal([] { parse_csv(GetParam().text, "a.csv"); }), GetParam().message);
}

const Refused refused[] = {
    {"empty", "", "a.csv: got an empty file; accepted: at least one row"},
    {"blank", "\n\n", "a.csv: got no rows of numbers; accepted: at least one row"},
    {"header_only", "a,b\n", "a.csv: got no rows of numbers; accepted: at least one row"},
    {"label_only", "label\n1\n", "a.csv:1, column 1: got \"label\"; accepted: columns besides it"},
    {"two_labels", "a,label,label\n1,2,3\n",
     "a.csv:1, column 3: got \"label\"; accepted: one column of that name"},
    {"row_index", ",a\n0,1\n",
     "a.csv:1, column 1: got \"\"; accepted: a name for every column; one without, as pandas "
     "writes it, is an index of rows: leave it out (index=False)"},
    {"half_a_header", "1,b\n1,2\n",
     "a.csv:1, column 2: got \"b\"; accepted: a number; or, if line 1 names the columns, "
     "Header::yes"},
    {"text", "a,b\n1,2\n3,four\n", "a.csv:3, column 2: got \"four\"; accepted: a number"},
    {"number_and_text", "1,2\n3,4x\n", "a.csv:2, column 2: got \"4x\"; accepted: a number"},
    {"missing", "1,2\n,4\n",
     "a.csv:2, column 1: got \"\"; accepted: a number (none may be missing)"},
    {"two_signs", "1\n+-1\n", "a.csv:2, column 1: got \"+-1\"; accepted: a number"},
    {"hexadecimal", "1\n0x10\n", "a.csv:2, column 1: got \"0x10\"; accepted: a number"},
    {"short_row", "1,2\n3\n", "a.csv:2: got 1 columns; accepted: 2 columns, as in the first line"},
    {"long_row", "1,2\n3,4,\n",
     "a.csv:2: got 3 columns; accepted: 2 columns, as in the first line"},
    {"nan", "1,nan\n", "a.csv:1, column 2: got \"nan\"; accepted: finite numbers up to 3.4e38"},
    {"infinity", "1\n-inf\n",
     "a.csv:2, column 1: got \"-inf\"; accepted: finite numbers up to 3.4e38"},
    {"too_large", "1\n1e39\n",
     "a.csv:2, column 1: got \"1e39\"; accepted: finite numbers up to 3.4e38"},
    {"far_too_large", "1\n1e999\n",
     "a.csv:2, column 1: got \"1e999\"; accepted: finite numbers up to 3.4e38"},
    {"gap", "1,2\n\n3,4\n", "a.csv:2: got a blank line; accepted: blank lines at the end only"},
    {"blank_first", "\n1\n", "a.csv:1: got a blank line; accepted: blank lines at the end only"},
    {"unprintable", std::string("1\n\x01\x1b[0m\n"),
     "a.csv:2, column 1: got \"??[0m\"; accepted: a number"},
    {"long_text", "1\n" + std::string(100, 'y') + "\n",
     "a.csv:2, column 1: got \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...\"; accepted: a number"},
    {"column_number_counts_the_label", "a,label,b\n1,2,x\n",
     "a.csv:2, column 3: got \"x\"; accepted: a number"},
};
INSTANTIATE_TEST_SUITE_P(Csv, InvalidCsv, testing::ValuesIn(refused),
                         [](const auto& test) { return test.param.name; });

/// What reading says after the file's name, or "header" or "data" for what line 1 was taken for.
std::string reading(const std::string& text, Header asked = Header::automatic) {
  std::string taken;
  const std::string message = refusal([&] {
    const CsvTable table = parse_csv(text, "a.csv", asked, {"--header yes", "--header no"});
    taken = table.header ? "header" : "data";
  });
  return message.starts_with("a.csv") ? message.substr(5) : taken;
}

TEST(CsvFirstLine, IsAHeaderWhereEveryCellIsAName) {
  for (const char* line : {"a,b", "y0,y1", "t0_y0,t1_y0", "\"a\",\"b\"", "größe,µ", "x.1,x.2",
                           "Na,Mg", "# a,b", "width (cm; mm),b"})
    EXPECT_EQ(reading(std::string(line) + "\n0.3,-0.2\n"), "header") << line;
}

TEST(CsvFirstLine, IsDataWhereEveryCellIsANumber) {
  for (const char* line : {"0.3,-0.2", "1,2", "0,0", "1,0", "0.0,1.0", "0,2", "2019,2020"})
    EXPECT_EQ(reading(std::string(line) + "\n0.3,-0.2\n"), "data") << line;
}

TEST(CsvFirstLine, OfPandasNumbersForNamesIsForTheCallerToTell) {
  const std::string words =
      ", which may be numbers or, from pandas, names of columns; accepted: --header yes if line 1 "
      "names the columns, --header no if it is data";
  EXPECT_EQ(reading("0,1\n0.3,-0.2\n"), ":1: got 0,1" + words);
  EXPECT_EQ(reading("0\n0.3\n"), ":1: got 0" + words);
  EXPECT_EQ(reading("\"0\",\"1\",\"2\",\"3\",\"4\"\n1,2,3,4,5\n"), ":1: got 0,1,...,4" + words);
  const CsvTable named = parse_csv("0,1\n0.3,-0.2\n", "a.csv", Header::yes);
  EXPECT_EQ(named.values, (std::vector<float>{0.3F, -0.2F}));
  EXPECT_EQ(named.header, "0,1");
  const CsvTable data = parse_csv("0,1\n0.3,-0.2\n", "a.csv", Header::no);
  EXPECT_EQ(data.values, (std::vector<float>{0, 1, 0.3F, -0.2F}));
  EXPECT_EQ(data.header, std::nullopt);
}

TEST(CsvFirstLine, ThatLooksLikeADamagedRowIsRefusedLikeOne) {
  const std::string or_names = "; or, if line 1 names the columns, --header yes";
  const auto expected = [&](int column, const std::string& cell, const std::string& instead) {
    return ":1, column " + std::to_string(column) + ": got \"" + cell + "\"; accepted: " + instead +
           or_names;
  };
  struct Case {
    const char* line;
    std::string message;
  };
  const std::string missing = "a number (none may be missing)";
  const Case cases[] = {
      {"NA,NA", expected(1, "NA", missing)},
      {"NA,0.5", expected(1, "NA", missing)},
      {"x,N/A", expected(2, "N/A", missing)},
      {"null,None", expected(1, "null", missing)},
      {",", expected(1, "", missing)},
      {",0.5", expected(1, "", missing)},
      {"?,-", expected(1, "?", missing)},
      {"1.2.3,0..4", expected(1, "1.2.3", "a number")},
      {"a,0..4", expected(2, "0..4", "a number")},
      {"0.3,x", expected(2, "x", "a number")},
      {"12%,$3", expected(1, "12%", "a number")},
      {"'0.3','0.2'", expected(1, "'0.3'", "a number")},
      {"2020-01-01,2020-01-02", expected(1, "2020-01-01", "a number")},
      {"\"0,15\",\"0,2\"", expected(1, "0,15", "a number with a decimal point, not a comma")},
  };
  for (const Case& one : cases) {
    const std::string text = std::string(one.line) + "\n0.3,-0.2\n";
    EXPECT_EQ(reading(text), one.message);
    EXPECT_NE(reading(text, Header::no).find(":1, column"), std::string::npos) << one.line;
  }
  EXPECT_EQ(reading("nan,nan\n1,2\n"),
            ":1, column 1: got \"nan\"; accepted: finite numbers up to 3.4e38");
  EXPECT_EQ(reading("NA,NA\n1,2\n", Header::yes), "header");
  EXPECT_EQ(reading("1.2.3,0..4\n1,2\n", Header::yes), "header");
}

TEST(CsvFirstLine, ThatNamesTimesSeriesOrIndicesIsRefused) {
  const std::string alone =
      "; accepted: a row for each series with its numbers time by time, and columns of "
      "observations alone (rename one that is an observation)";
  const std::string left_out =
      "; accepted: columns of observations alone: leave it out, or rename one that is an "
      "observation";
  EXPECT_EQ(reading("series,time,a\n1,0.00,0.1\n"),
            ":1: got \"series\" and \"time\" among the columns: a table with a row for each time" +
                alone);
  EXPECT_EQ(reading("T,a,b\n1,2,3\n"),
            ":1: got \"T\" among the columns: a table with a row for each time" + alone);
  for (const char* name : {"id", "ID", "index", "Series", "Unnamed: 0"})
    EXPECT_EQ(reading(std::string(name) + ",0,1\n0,1,2\n"),
              std::string(":1: got \"") + name + "\" among the columns: an index" + left_out);
  for (const char* line : {",0,1\n0,0.3,-0.2\n", ",a,b\n0,0.3,-0.2\n"})
    EXPECT_NE(reading(line).find("is an index of rows: leave it out (index=False)"),
              std::string::npos)
        << line;
  EXPECT_NE(reading("time,a\n1,2\n", Header::yes).find("\"time\""), std::string::npos);
}

TEST(Csv, OtherSeparatorsAndLineEndsAreNamed) {
  const std::string commas = "; accepted: commas between columns, and decimal points in numbers";
  const std::string points =
      "; accepted: commas between columns, and decimal points, not commas, in numbers (tr ',;' "
      "'.,' makes the one the other)";
  const std::string ends =
      R"(; accepted: line ends of LF or CRLF (tr '\r' '\n' makes the one the other))";
  EXPECT_EQ(reading("a;b\n0,15;-0,16\n"), ":1: got semicolons between the columns" + points);
  EXPECT_EQ(reading("0,15;-0,16\n0,3;0,2\n"), ":1: got semicolons between the columns" + points);
  EXPECT_EQ(reading("0.15;-0.16\n"), ":1: got semicolons between the columns" + points);
  EXPECT_EQ(reading("1,2\n3;4\n"), ":2: got semicolons between the columns" + points);
  EXPECT_EQ(reading("1,2\n0,5;4\n"), ":2: got semicolons between the columns" + points);
  EXPECT_EQ(reading("a\tb\n0.15\t-0.16\n"), ":1: got tabs between the columns" + commas);
  EXPECT_EQ(reading("0,15\t-0,16\n"), ":1: got tabs between the columns" + commas);
  EXPECT_EQ(reading("0.15|-0.16\n"), ":1: got vertical bars between the columns" + commas);
  EXPECT_EQ(reading("0.15 -0.16\n"), ":1: got spaces between the columns" + commas);
  EXPECT_EQ(reading("a,b\n1,\"0,5\"\n"),
            ":2, column 2: got \"0,5\"; accepted: a number with a decimal point, not a comma");
  EXPECT_EQ(reading("a,b\r1,2\r3,4\r"), ":1: got a line end of CR alone" + ends);
  EXPECT_EQ(reading("a,b\n1,2\r3,4\n"), ":2: got a line end of CR alone" + ends);
  EXPECT_EQ(reading("a,b\n1,\"2\n"),
            ":2: got a double quote that is not closed; accepted: quotes that end on their line");
}

}  // namespace
}  // namespace ito
