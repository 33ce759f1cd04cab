#include "io/npy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>

#include "file_size_limit.hpp"
#include "io/file.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "write_plainly.hpp"

namespace ito {
namespace {

using Shape = std::vector<std::size_t>;

template <class T>
ArrayView view(const char* name, Shape shape, const std::vector<T>& values) {
  return {name, std::move(shape), std::span<const T>(values)};
}

/// A .npy file with this header text.
std::string npy(const std::string& header, const std::string& data = {}, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  const auto length = static_cast<std::uint32_t>(header.size());
  bytes.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return bytes + header + data;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
void expect_round_trip(const TemporaryFolder& folder, const Shape& shape,
                       const std::vector<T>& values) {
  write_npy(folder / "a.npy", view("", shape, values));
  const Array array = read_npy(folder / "a.npy");
  EXPECT_EQ(array.type, data_type_of<T>());
  EXPECT_EQ(array.shape, shape);
  ASSERT_EQ(array.bytes.size(), values.size() * sizeof(T));
  if (!values.empty()) {
    EXPECT_EQ(std::memcmp(array.bytes.data(), values.data(), array.bytes.size()), 0);
  }
}

TEST(Npy, EveryTypeAndRankRoundTripsBitExactly) {
  const TemporaryFolder folder;
  expect_round_trip<float>(folder, {2, 3}, {1, -0.0F, NAN, INFINITY, 1e-45F, 6});
  expect_round_trip<double>(folder, {2}, {0.1, 1e300});
  expect_round_trip<std::int32_t>(folder, {1, 1, 2}, {-1, std::numeric_limits<int>::max()});
  expect_round_trip<std::int64_t>(folder, {}, {std::numeric_limits<std::int64_t>::min()});
  expect_round_trip<std::uint8_t>(folder, {3, 1}, {0, 128, 255});
  expect_round_trip<float>(folder, {0, 5}, {});
}

TEST(Npy, HeadersAreThoseNumpyWrites) {
  const std::vector<float> six(6);
  const std::string matrix = npy_header(view("", {2, 3}, six));
  EXPECT_EQ(matrix.size() % 64, 0U);
  EXPECT_EQ(matrix.back(), '\n');
  EXPECT_EQ(matrix.substr(10, 60), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ");
  EXPECT_NE(npy_header(view("", {6}, six)).find("'shape': (6,), }"), std::string::npos);
  const std::vector<std::uint8_t> one(1);
  const std::string scalar = npy_header(view("", {}, one));
  EXPECT_NE(scalar.find("'descr': '|u1', "), std::string::npos);
  EXPECT_NE(scalar.find("'shape': (), }"), std::string::npos);
}

TEST(Npy, VersionsOneToThreeAreRead) {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
  for (const int version : {1, 2, 3}) {
    const Array array = parse_npy(npy(header, raw(std::vector{2.5F}), version), "a");
    EXPECT_EQ(array.values<float>(), std::vector{2.5F}) << version;
  }
}

TEST(Npy, HeadersSpelledOtherwiseAreRead) {
  const std::string data = raw(std::vector<std::uint8_t>{1, 2});
  for (const char* header :
       {R"({"shape":(2,),"descr":"|u1","fortran_order":False})",
        "{ 'fortran_order' : True , 'shape' : ( 1 , 2 , ) , 'descr' : '<u1' }\n\n",
        "{'shape': (2, 1), 'fortran_order': False, 'descr': '|u1'}"}) {
    EXPECT_EQ(parse_npy(npy(header, data), "a").values<std::uint8_t>(),
              (std::vector<std::uint8_t>{1, 2}))
        << header;
  }
}

TEST(Npy, FortranOrderIsReadIntoRowMajor) {
  // Element (i, j, k) of a [2, 3, 4] array is 100 i + 10 j + k; first index fastest in the file.
  std::vector<std::int32_t> file;
  std::vector<std::int32_t> expected;
  for (int k = 0; k < 4; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) file.push_back(100 * i + 10 * j + k);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) expected.push_back(100 * i + 10 * j + k);
  const std::string header = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3, 4), }";
  EXPECT_EQ(parse_npy(npy(header, raw(file)), "a").values<std::int32_t>(), expected);
}

/// The numbers of an array of one axis with these elements.
std::vector<double> numbers(const std::string& descr, const std::string& elements,
                            std::size_t count) {
  const std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" +
                             std::to_string(count) + ",), }";
  const Array array = parse_npy(npy(header, elements), "a");
  return with_type(array.type, [&](auto zero) {
    const auto values = array.values<decltype(zero)>();
    return std::vector<double>(values.begin(), values.end());
  });
}

TEST(Npy, EveryTypeOfNumberIsReadInEitherByteOrder) {
  const auto expect_both = [](const std::string& type, const auto& values) {
    const std::vector<double> expected(values.begin(), values.end());
    std::string elements = raw(values);
    EXPECT_EQ(numbers("<" + type, elements, values.size()), expected) << type;
    EXPECT_EQ(numbers("=" + type, elements, values.size()), expected) << type;
    const std::size_t size = elements.size() / values.size();
    for (std::size_t i = 0; i < elements.size(); i += size)
      std::reverse(elements.begin() + static_cast<std::ptrdiff_t>(i),
                   elements.begin() + static_cast<std::ptrdiff_t>(i + size));
    EXPECT_EQ(numbers(">" + type, elements, values.size()), expected) << type;
  };
  expect_both("f4", std::vector<float>{1.5F, -0.1F, 3e38F, 1e-45F});
  expect_both("f8", std::vector<double>{0.1, -1e300});
  expect_both("i1", std::vector<std::int8_t>{-128, 127, 0});
  expect_both("i2", std::vector<std::int16_t>{-32768, 32767, 258});
  expect_both("i4", std::vector<std::int32_t>{std::numeric_limits<int>::min(), 65538});
  expect_both("i8", std::vector<std::int64_t>{-7, std::int64_t{1} << 40});
  expect_both("u1", std::vector<std::uint8_t>{0, 255});
  expect_both("u2", std::vector<std::uint16_t>{65535, 258});
  expect_both("u4", std::vector<std::uint32_t>{4294967295, 65538});
  expect_both("u8", std::vector<std::uint64_t>{std::uint64_t{1} << 63, 3});
}

TEST(Npy, HalvesAreTheFloatsTheyAre) {
  const std::vector<std::uint16_t> halves{0x3C00, 0xC100, 0x7BFF, 0x0001, 0x8000, 0x3555};
  const std::vector<double> expected{1, -2.5, 65504, 0x1p-24, -0.0, 0.333251953125};
  EXPECT_EQ(numbers("<f2", raw(halves), halves.size()), expected);
  EXPECT_EQ(numbers(">f2", "\x3C\x01", 1), (std::vector<double>{1.0009765625}));
}

TEST(Npy, BooleansAreZerosAndOnes) {
  EXPECT_EQ(numbers("|b1", std::string("\x01\0\x01", 3), 3), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(numbers("|b1", std::string("\x02", 1), 1), (std::vector<double>{1}));
}

TEST(Npy, FortranOrderAndAnotherByteOrderGoTogether) {
  const std::string header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }";
  // Columns (1, 2), (3, 4), (5, 6).
  const std::string elements("\0\1\0\2\0\3\0\4\0\5\0\6", 12);
  EXPECT_EQ(parse_npy(npy(header, elements), "a").values<std::int32_t>(),
            (std::vector<std::int32_t>{1, 3, 5, 2, 4, 6}));
}

TEST(Npy, RefusalsNameTheFileAndWhatIsWrong) {
  const auto header = [](const char* descr, const char* shape) {
    return std::string("{'descr': ") + descr + ", 'fortran_order': False, 'shape': " + shape + "}";
  };
  const std::string malformed =
      "header: got malformed text; accepted: {'descr': ..., 'fortran_order': ..., 'shape': ...}";
  const std::string types =
      "; accepted: f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1, of either byte order";
  struct Case {
    std::string bytes;
    std::string message;
  };
  const Case cases[] = {
      {"", "file: got other first bytes; accepted: a .npy file"},
      {"a,b,c", "file: got other first bytes; accepted: a .npy file"},
      {npy("", "", 4), "format version: got 4; accepted: 1, 2 and 3"},
      {npy("", "", 0), "format version: got 0; accepted: 1, 2 and 3"},
      {npy(""), malformed},
      {npy("{}"), malformed},
      {npy("{'descr': '<f4'}"), malformed},
      {npy(header("'<f4'", "(2")), malformed},
      {npy(header("'<f4'", "(-1,)")), malformed},
      {npy(header("'<f4'", "(99999999999999999999,)")), malformed},
      {npy(header("'<f4'", "()") + "x"), malformed},
      {npy(header("'<c8'", "()")), "descr: got <c8" + types},
      {npy(header("'<f16'", "()")), "descr: got <f16" + types},
      {npy(header("'|f4'", "()")), "descr: got |f4" + types},
      {npy(header("''", "()")), "descr: got " + types},
      {npy(header("'|O'", "()")), "descr: got |O, Python objects" + types},
      {npy(header("[('a', '<f4')]", "()")), "descr: got structured" + types},
      {npy(header("'<f4'", "(2,)"), "1234"),
       "data: got 4 bytes; accepted: 8 bytes for f4 of shape [2]"},
      {npy(header("'<f4'", "(1,)"), "12345"),
       "data: got 5 bytes; accepted: 4 bytes for f4 of shape [1]"},
      {npy(header("'<f8'", "(4294967296, 4294967296)")),
       "shape: got shape [4294967296, 4294967296]; accepted: shapes that fit in memory"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(refusal([&] { parse_npy(c.bytes, "a.npy"); }), "a.npy: " + c.message);
  }
}

TEST(Npy, NoPrefixOfAFileIsAcceptedOrCrashes) {
  const std::vector<float> values{1, 2, 3};
  const ArrayView array = view("", {3}, values);
  const std::string bytes = npy_header(array) + raw(values);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_NE(refusal([&] { parse_npy(bytes.substr(0, length), "a"); }), "accepted") << length;
  }
  EXPECT_EQ(refusal([&] { parse_npy(bytes, "a"); }), "accepted");
}

const std::vector<float> floats{1, 2, 3, 4, NAN, 6};
const std::vector<double> doubles{0.1};
const std::vector<std::int64_t> none{};
const std::vector<std::uint8_t> bytes{1, 2, 3};

void write_all(const std::filesystem::path& file) {
  const ArrayView arrays[] = {view("x", {2, 3}, floats), view("energy", {}, doubles),
                              view("none", {0, 2}, none), view("status", {3}, bytes)};
  write_npz(file, arrays);
}

TEST(Npz, ArraysRoundTripBitExactlyInOrder) {
  const TemporaryFolder folder;
  write_all(folder / "a.npz");
  const auto arrays = read_npz(folder / "a.npz");
  ASSERT_EQ(arrays.size(), 4U);
  EXPECT_EQ(arrays[0].name, "x");
  EXPECT_EQ(arrays[0].shape, (Shape{2, 3}));
  EXPECT_EQ(std::memcmp(arrays[0].bytes.data(), floats.data(), arrays[0].bytes.size()), 0);
  EXPECT_EQ(arrays[1].name, "energy");
  EXPECT_EQ(arrays[1].values<double>(), doubles);
  EXPECT_EQ(arrays[2].shape, (Shape{0, 2}));
  EXPECT_EQ(arrays[3].values<std::uint8_t>(), bytes);
  EXPECT_EQ(folder.size(), 1U);
}

TEST(Npz, IsTheSameBytesWhenWrittenAgain) {
  const TemporaryFolder folder;
  write_all(folder / "a.npz");
  write_all(folder / "b.npz");
  EXPECT_EQ(read_file(folder / "a.npz"), read_file(folder / "b.npz"));
  // The time and date of the first entry: midnight, 1980-01-01, whatever the clock says.
  EXPECT_EQ(read_file(folder / "a.npz").substr(10, 4), std::string("\0\0\x21\0", 4));
}

TEST(Npz, IsStoredSoThatItsBytesAreThoseOfTheArrays) {
  const TemporaryFolder folder;
  write_all(folder / "a.npz");
  const std::string contents = read_file(folder / "a.npz");
  EXPECT_NE(contents.find(npy_header(view("", {2, 3}, floats)) + raw(floats)), std::string::npos);
}

TEST(Npz, NoPrefixOfAnArchiveIsAcceptedOrCrashes) {
  const TemporaryFolder folder;
  const ArrayView array = view("x", {3}, bytes);
  write_npz(folder / "a.npz", {&array, 1});
  const std::string contents = read_file(folder / "a.npz");
  for (std::size_t length = 0; length < contents.size(); ++length) {
    write_plainly(folder / "b.npz", contents.substr(0, length));
    EXPECT_NE(refusal([&] { read_npz(folder / "b.npz"); }), "accepted") << length;
  }
}

TEST(Npz, AChangedElementIsNoticedByItsChecksum) {
  const TemporaryFolder folder;
  write_all(folder / "a.npz");
  std::string contents = read_file(folder / "a.npz");
  const auto place = contents.find(raw(floats));
  ASSERT_NE(place, std::string::npos);
  contents[place] = static_cast<char>(contents[place] ^ 1);
  write_file(folder / "a.npz", contents);
  EXPECT_EQ(refusal([&] { read_npz(folder / "a.npz"); }),
            (folder / "a.npz").string() + ": cannot read: CRC error");
}

TEST(Npz, AFullDiskLeavesTheEarlierFileAndNothingElse) {
  const TemporaryFolder folder;
  write_all(folder / "a.npz");
  const std::string before = read_file(folder / "a.npz");
  const std::vector<float> large(100'000, 1.0F);
  const ArrayView arrays[] = {view("x", {large.size()}, large)};
  std::string message;
  {
    const FileSizeLimit limit(100'000);
    message = refusal([&] { write_npz(folder / "a.npz", arrays); });
  }
  EXPECT_TRUE(message.starts_with((folder / "a.npz").string() + ": cannot write: ")) << message;
  EXPECT_EQ(read_file(folder / "a.npz"), before);
  EXPECT_EQ(folder.size(), 1U);
}

TEST(Npz, RefusalsNameTheFile) {
  const TemporaryFolder folder;
  const std::string file = (folder / "a.npz").string();
  EXPECT_EQ(refusal([&] { read_npz(file); }), file + ": cannot open: No such file or directory");
  write_file(file, "text");
  EXPECT_EQ(refusal([&] { read_npz(file); }), file + ": cannot open: Not a zip archive");
  EXPECT_EQ(refusal([&] { write_npz(file, {}); }),
            file + ": got no arrays; accepted: at least one array");
}

}  // namespace
}  // namespace ito
