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

class CsvAccepted : public testing::TestWithParam<Accepted> {};

TEST_P(CsvAccepted, GivesItsNumbers) {
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
INSTANTIATE_TEST_SUITE_P(Csv, CsvAccepted, testing::ValuesIn(accepted),
                         [](const auto& test) { return test.param.name; });

struct Refused {
  const char* name;
  std::string text;
  const char* message;
};

class CsvRefused : public testing::TestWithParam<Refused> {};

TEST_P(CsvRefused, NamesFileLineAndColumn) {
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
     "a.csv:1, column 1: got \"\"; accepted: a name for every column (is it a row index?)"},
    {"half_a_header", "1,b\n1,2\n", "a.csv:1, column 2: got \"b\"; accepted: a number"},
    {"text", "a,b\n1,2\n3,four\n", "a.csv:3, column 2: got \"four\"; accepted: a number"},
    {"number_and_text", "1,2\n3,4x\n", "a.csv:2, column 2: got \"4x\"; accepted: a number"},
    {"missing", "1,2\n,4\n", "a.csv:2, column 1: got \"\"; accepted: a number"},
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
INSTANTIATE_TEST_SUITE_P(Csv, CsvRefused, testing::ValuesIn(refused),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace ito
