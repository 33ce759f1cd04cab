#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <ito/dataset.hpp>

#include "file_size_limit.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

namespace ito {
namespace {

template <class T>
void write(const std::filesystem::path& file, std::vector<std::size_t> shape,
           const std::vector<T>& values) {
  write_npy(file, ArrayView("", std::move(shape), std::span<const T>(values)));
}

void expect_data(const Dataset& data, std::size_t count, std::size_t times, std::size_t dimension,
                 const std::vector<float>& values) {
  EXPECT_EQ(data.count, count);
  EXPECT_EQ(data.times, times);
  EXPECT_EQ(data.dimension, dimension);
  EXPECT_EQ(data.values, values);
}

const std::vector<float> twelve{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(Dataset, ACsvRowIsOneSequenceTimeByTime) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", "a,b,c,d,e,f,label\n1,2,3,4,5,6,x\n7,8,9,10,11,12,y\n");
  expect_data(read_dataset(folder / "a.csv"), 2, 1, 6, twelve);
  expect_data(read_dataset(folder / "a.csv", 3), 2, 3, 2, twelve);
  EXPECT_EQ(read_dataset(folder / "a.csv", 3).row(1)[2], 9.0F);
}

TEST(Dataset, NpyArraysOfTwoOrThreeAxesAreSequences) {
  const TemporaryFolder folder;
  write(folder / "a.npy", {2, 6}, twelve);
  expect_data(read_dataset(folder / "a.npy"), 2, 1, 6, twelve);
  expect_data(read_dataset(folder / "a.npy", 2), 2, 2, 3, twelve);
  write(folder / "b.npy", {2, 3, 2}, twelve);
  expect_data(read_dataset(folder / "b.npy"), 2, 3, 2, twelve);
  expect_data(read_dataset(folder / "b.npy", 3), 2, 3, 2, twelve);
}

TEST(Dataset, EveryNpyTypeBecomesFloat) {
  const TemporaryFolder folder;
  const auto read = [&] { return read_dataset(folder / "a.npy").values; };
  write(folder / "a.npy", {2, 1}, std::vector<double>{0.1, -1e-60});
  EXPECT_EQ(read(), (std::vector<float>{0.1F, -0.0F}));
  write(folder / "a.npy", {2, 1}, std::vector<std::int32_t>{-7, 1 << 24});
  EXPECT_EQ(read(), (std::vector<float>{-7, 16777216}));
  write(folder / "a.npy", {2, 1}, std::vector<std::int64_t>{-7, 1});
  EXPECT_EQ(read(), (std::vector<float>{-7, 1}));
  write(folder / "a.npy", {2, 1}, std::vector<std::uint8_t>{0, 255});
  EXPECT_EQ(read(), (std::vector<float>{0, 255}));
}

TEST(Dataset, OfBooleansIsZerosAndOnes) {
  const TemporaryFolder folder;
  std::string bytes = npy_header(
      ArrayView("", {2, 2}, std::span<const std::uint8_t>(std::vector<std::uint8_t>{1, 0, 0, 1})));
  bytes.replace(bytes.find("|u1"), 3, "|b1");
  write_file(folder / "a.npy", bytes + std::string("\1\0\0\1", 4));
  EXPECT_EQ(read_dataset(folder / "a.npy").values, (std::vector<float>{1, 0, 0, 1}));
}

TEST(Dataset, AnArrayOfAnNpzIsTheOnlyOneOrTheOneCalledYOrTheOneNamed) {
  const TemporaryFolder folder;
  const auto file = folder / "a.npz";
  const std::vector<float> other{1, 2};
  const ArrayView twelve_numbers("only", {2, 6}, std::span<const float>(twelve));
  const ArrayView y("y", {2, 6}, std::span<const float>(twelve));
  const ArrayView x("x", {2, 1}, std::span<const float>(other));
  const auto write_both = [&](const ArrayView& first, const ArrayView& second) {
    const ArrayView arrays[] = {first, second};
    write_npz(file, arrays);
  };
  write_npz(file, {&twelve_numbers, 1});
  expect_data(read_dataset(file), 2, 1, 6, twelve);
  expect_data(read_dataset(file.string() + ":only", 3), 2, 3, 2, twelve);
  write_both(x, y);
  expect_data(read_dataset(file), 2, 1, 6, twelve);
  expect_data(read_dataset(file.string() + ":x"), 2, 1, 1, other);
  write_both(x, twelve_numbers);
  EXPECT_EQ(refusal([&] { read_dataset(file); }),
            file.string() + ": got 2 arrays (x, only); accepted: one of them as " + file.string() +
                ":NAME, or one called y");
  EXPECT_EQ(refusal([&] { read_dataset(file.string() + ":z"); }),
            file.string() + ": got no array \"z\"; accepted: one of x, only");
}

TEST(Dataset, AFileOfAnotherKindIsNamed) {
  const TemporaryFolder folder;
  const auto file = folder / "a.csv";
  const auto reading = [&](const std::string& bytes) {
    write_file(file, bytes);
    const std::string message = refusal([&] { read_dataset(file); });
    return message.substr(std::min(message.size(), file.string().size()));
  };
  const std::string accepted = "; accepted: CSV text, a .npy or .npz file";
  EXPECT_EQ(reading("\x1f\x8b\x08"),
            ": got a gzip file" + accepted + "; decompress it first (gunzip)");
  EXPECT_EQ(reading(std::string("\xff\xfe"
                                "1\0,\0",
                                6)),
            ": got UTF-16 text" + accepted + "; save it as UTF-8");
  EXPECT_EQ(reading("{\"state\": 2}"), ": got JSON text" + accepted);
  EXPECT_EQ(reading(std::string("1\0\2\3\xff\xfe", 6)), ": got binary data" + accepted);
  EXPECT_EQ(reading("PK\x03\x04 cut short"), ": cannot open: Not a zip archive");
}

TEST(Dataset, WhatTheFirstLineIsCanBeSaid) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", "0,1\n0.5,2\n");
  expect_data(read_dataset(folder / "a.csv", 1, Header::yes), 1, 1, 2, {0.5F, 2});
  expect_data(read_dataset(folder / "a.csv", 1, Header::no), 2, 1, 2, {0, 1, 0.5F, 2});
  EXPECT_NE(refusal([&] { read_dataset(folder / "a.csv"); }).find("Header::yes if"),
            std::string::npos);
  for (const char* text : {"auto", "yes", "no"}) EXPECT_EQ(name(parse_header(text)), text);
  EXPECT_EQ(refusal([] { parse_header("maybe"); }),
            "header: got \"maybe\"; accepted: auto, yes, no");
}

TEST(Dataset, RefusalsNameTheFileAndThePlace) {
  const TemporaryFolder folder;
  const auto file = folder / "a";
  const auto reading = [&](std::size_t times = 1) {
    const std::string message = refusal([&] { read_dataset(file, times); });
    return message.starts_with(file.string()) ? message.substr(file.string().size()) : message;
  };
  EXPECT_EQ(reading(), ": cannot open: No such file or directory");
  EXPECT_EQ(reading(0), "times: got 0; accepted: integers from 1 up");
  write_file(file, "1,2,3\n4,5,6\n7,8\n");
  EXPECT_EQ(reading(), ":3: got 2 columns; accepted: 3 columns, as in the first line");
  write_file(file, "1,2,3\n");
  EXPECT_EQ(reading(2),
            ": got 3 columns for 2 observation times; accepted: a multiple of 2 columns");
  write(file, {2, 6}, twelve);
  EXPECT_EQ(reading(5),
            ": got 6 columns for 5 observation times; accepted: a multiple of 5 columns");
  write(file, {2, 3, 2}, twelve);
  EXPECT_EQ(reading(2),
            ": got shape [2, 3, 2] for 2 observation times; accepted: 2 in its second place");
  write(file, {12}, twelve);
  EXPECT_EQ(reading(), ": got shape [12]; accepted: shapes [N, D] and [N, T, D] without a 0");
  write(file, {0, 3}, std::vector<float>{});
  EXPECT_EQ(reading(), ": got shape [0, 3]; accepted: shapes [N, D] and [N, T, D] without a 0");
  write(file, {2, 2}, std::vector<float>{1, 2, 3, NAN});
  EXPECT_EQ(reading(), ", row 2, number 2: got nan; accepted: finite numbers up to 3.4e38");
  write(file, {1, 2}, std::vector<double>{1e39, 2});
  EXPECT_EQ(reading(), ", row 1, number 1: got 1e+39; accepted: finite numbers up to 3.4e38");
}

TEST(Dataset, ASliceIsItsRows) {
  const Dataset data{3, 2, 2, twelve};
  expect_data(data.slice(1, 3), 2, 2, 2, {5, 6, 7, 8, 9, 10, 11, 12});
  expect_data(data.slice(0, 3), 3, 2, 2, twelve);
  expect_data(data.slice(3, 3), 0, 2, 2, {});
  EXPECT_EQ(refusal([&] { static_cast<void>(data.slice(2, 4)); }),
            "rows: got [2, 4); accepted: ranges within [0, 3)");
  EXPECT_EQ(refusal([&] { static_cast<void>(data.slice(2, 1)); }),
            "rows: got [2, 1); accepted: ranges within [0, 3)");
}

TEST(WriteCsv, ReadsBackBitExactly) {
  const TemporaryFolder folder;
  const std::vector<float> values{0.1F,
                                  -0.0F,
                                  1.0F / 3,
                                  std::numeric_limits<float>::denorm_min(),
                                  std::numeric_limits<float>::max(),
                                  16777217.0F};
  write_csv(folder / "a.csv", {"x", "y"}, values);
  const Dataset data = read_dataset(folder / "a.csv");
  ASSERT_EQ(data.values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(data.values[i], values[i]);
    EXPECT_EQ(std::signbit(data.values[i]), std::signbit(values[i]));
  }
}

TEST(WriteCsv, LooksAsExpected) {
  const TemporaryFolder folder;
  write_csv(folder / "a.csv", {"x", "a,\"b\""}, std::vector<float>{1, 0.5F, -2, 1e20F});
  EXPECT_EQ(read_file(folder / "a.csv"), "x,\"a,\"\"b\"\"\"\n1,0.5\n-2,1e+20\n");
}

TEST(WriteCsv, RefusesHalfRowsAndAFullDisk) {
  const TemporaryFolder folder;
  const auto file = folder / "a.csv";
  EXPECT_EQ(refusal([&] {
              write_csv(file, {"x", "y"}, std::vector<float>{1});
            }),
            file.string() + ": got 1 numbers for 2 columns; accepted: whole rows");
  EXPECT_NE(refusal([&] { write_csv(file, {}, {}); }), "accepted");
  {
    const FileSizeLimit limit(1000);
    EXPECT_NE(refusal([&] { write_csv(file, {"x"}, std::vector<float>(1000, 0.1F)); }), "accepted");
  }
  EXPECT_EQ(folder.size(), 0U);
}

}  // namespace
}  // namespace ito
