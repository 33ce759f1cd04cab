#include "io/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "file_size_limit.hpp"
#include "io/file.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

namespace ito {
namespace {

using Shape = std::vector<std::size_t>;

template <class T>
ArrayView view(const char* name, Shape shape, const std::vector<T>& values) {
  return {name, std::move(shape), std::span<const T>(values)};
}

/// A file with this header and data, whatever they are.
std::string with_header(const std::string& header, const std::string& data = {}) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

/// What parsing says after the name.
std::string parsing(const std::string& bytes) {
  const std::string message = refusal([&] { parse_safetensors(bytes, "a"); });
  return message.starts_with("a: ") ? message.substr(3) : message;
}

const std::vector<float> floats{1.5F,
                                -0.0F,
                                std::numeric_limits<float>::denorm_min(),
                                std::numeric_limits<float>::quiet_NaN(),
                                INFINITY,
                                3.0F};
const std::vector<double> doubles{0.1};
const std::vector<std::int64_t> integers{};
const std::vector<std::uint8_t> bytes{0, 255, 7};
const std::map<std::string, std::string> metadata{{"model", "{\"a\": \"ä\"}\n"}, {"", "empty"}};

void write_all(const std::filesystem::path& file) {
  const ArrayView arrays[] = {view("u", {3}, bytes), view("f", {2, 3}, floats),
                              view("d", {}, doubles), view("i", {0, 4}, integers)};
  write_safetensors(file, arrays, metadata);
}

TEST(Safetensors, RoundTripIsBitExact) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const SafetensorsFile file = read_safetensors(folder / "a");
  EXPECT_EQ(file.metadata, metadata);
  ASSERT_EQ(file.arrays.size(), 4U);
  // Wider types first.
  EXPECT_EQ(file.arrays[0].name, "d");
  EXPECT_EQ(file.arrays[0].shape, Shape{});
  EXPECT_EQ(file.arrays[0].values<double>(), doubles);
  EXPECT_EQ(file.arrays[1].name, "i");
  EXPECT_EQ(file.arrays[1].shape, (Shape{0, 4}));
  EXPECT_EQ(file.arrays[1].values<std::int64_t>(), integers);
  EXPECT_EQ(file.arrays[2].name, "f");
  EXPECT_EQ(file.arrays[2].shape, (Shape{2, 3}));
  ASSERT_EQ(file.arrays[2].bytes.size(), floats.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(file.arrays[2].bytes.data(), floats.data(), floats.size() * sizeof(float)),
            0);
  EXPECT_EQ(file.arrays[3].values<std::uint8_t>(), bytes);
}

TEST(Safetensors, DataBeginsAlignedAndTheHeaderIsPaddedWithSpaces) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const std::string contents = read_file(folder / "a");
  std::uint64_t length = 0;
  std::memcpy(&length, contents.data(), sizeof length);
  EXPECT_EQ(length % 8, 0U);
  EXPECT_EQ(contents[8], '{');
  const auto end = contents.find_last_not_of(' ', 7 + length);
  EXPECT_EQ(contents[end], '}');
}

TEST(Safetensors, AccessAsAnotherTypeIsRefused) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const SafetensorsFile file = read_safetensors(folder / "a");
  EXPECT_EQ(refusal([&] { static_cast<void>(file.arrays[2].values<double>()); }),
            "f: got f32; accepted: f64");
}

TEST(Safetensors, NoPrefixOfAFileIsAcceptedOrCrashes) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const std::string contents = read_file(folder / "a");
  for (std::size_t length = 0; length < contents.size(); ++length) {
    EXPECT_NE(parsing(contents.substr(0, length)), "accepted") << length;
  }
  EXPECT_EQ(parsing(contents), "accepted");
  EXPECT_NE(parsing(contents + "x"), "accepted");
}

TEST(Safetensors, AnyChangedByteOfTheHeaderIsReadOrRefused) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const std::string contents = read_file(folder / "a");
  for (std::size_t i = 0; i < contents.size(); ++i) {
    for (const char c : {'\0', '9', '"', '}', '\xff'}) {
      std::string changed = contents;
      changed[i] = c;
      parsing(changed);  // ends the test by a crash or an exception that is no ito::Error
    }
  }
}

TEST(Safetensors, FilesOfOtherWritersAreRead) {
  // Unsorted keys, a header without padding, no metadata, an empty array sharing its place.
  const std::string header = R"({"b":{"shape":[1],"data_offsets":[4,8],"dtype":"F32"},)"
                             R"("e":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},)"
                             R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  const auto arrays = parse_safetensors(with_header(header, "12345678"), "a").arrays;
  ASSERT_EQ(arrays.size(), 3U);
  EXPECT_EQ(arrays[0].name, "a");
  EXPECT_EQ(arrays[1].name, "e");
  EXPECT_EQ(arrays[2].name, "b");
  EXPECT_TRUE(parse_safetensors(with_header("{}"), "a").arrays.empty());
}

TEST(Safetensors, RefusalsSayWhatIsWrong) {
  struct Case {
    std::string header, data;
    const char* message;
  };
  const auto entry = [](const char* dtype, const char* shape, const char* offsets) {
    return std::string(R"({"x":{"dtype":")") + dtype + R"(","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}}";
  };
  const Case cases[] = {
      {"[]", "", "file: got binary data; accepted: a safetensors file"},
      {R"({"x":1})", "", "x: got 1; accepted: a JSON object"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", "",
       "x.data_offsets: got nothing; accepted: a value: the key is needed"},
      {entry("F8_E4M3", "[2]", "[0,2]"), "12",
       "x.dtype: got \"F8_E4M3\"; accepted: \"F32\", \"F64\", \"F16\" or \"BF16\""},
      {entry("F16", "[1]", "[0,4]"), "1234",
       "x.data_offsets: got 4 bytes; accepted: 2 bytes for shape [1]"},
      {entry("F32", "[-1]", "[0,4]"), "1234", "x.shape[0]: got -1; accepted: integers from 0 up"},
      {entry("F32", "1", "[0,4]"), "1234",
       "x.shape: got 1; accepted: an array of integers from 0 up"},
      {entry("F32", "[1]", "[0]"), "1234",
       "x.data_offsets: got an array of 1; accepted: a begin and an end"},
      {entry("F32", "[1]", "[4,0]"), "1234",
       "x.data_offsets: got an array of 2; accepted: a begin and an end"},
      {entry("F32", "[2]", "[0,4]"), "1234",
       "x.data_offsets: got 4 bytes; accepted: 8 bytes for shape [2]"},
      {entry("F32", "[4294967296, 4294967296]", "[0,0]"), "",
       "x: got shape [4294967296, 4294967296]; accepted: shapes that fit in memory"},
      {entry("F32", "[1]", "[4,8]"), "12345678",
       "x.data_offsets: got a begin of 4; accepted: 0, where the array before ends"},
      {entry("F32", "[1]", "[0,4]"), "123",
       "data: got 3 bytes; accepted: 4 bytes, the end of the last array (the file is truncated)"},
      {entry("F32", "[1]", "[0,4]"), "12345",
       "data: got 5 bytes; accepted: 4 bytes, the end of the last array"},
      {R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       "123", "y.data_offsets: got a begin of 1; accepted: 2, where the array before ends"},
      {R"({"__metadata__":{"a":1}})", "", "__metadata__.a: got 1; accepted: a string"},
      {R"({"__metadata__":1})", "", "__metadata__: got 1; accepted: an object of strings"},
      {R"({"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
       R"("x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
       "", "x: got the key twice; accepted: each key once"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(parsing(with_header(c.header, c.data)), c.message) << c.header;
  }
  EXPECT_EQ(parsing("1234567"), "file: got 7 bytes of another kind; accepted: a safetensors file");
  EXPECT_EQ(parsing(std::string("\x03\0\0\0\0\0\0\0{}", 10)),
            "header: got a length of 3 with 2 bytes left; accepted: a safetensors file that is not "
            "truncated");
  EXPECT_EQ(parsing(std::string(8, '\xff') + "{}"),
            "header: got a length of 18446744073709551615 with 2 bytes left; accepted: a "
            "safetensors file that is not truncated");
}

TEST(Safetensors, OtherKindsOfFilesAreNamed) {
  EXPECT_EQ(parsing("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n"),
            "file: got a Git LFS pointer, not the file it stands for; accepted: a safetensors "
            "file; fetch that by `git lfs pull`");
  EXPECT_EQ(parsing("PK\x03\x04 as torch.save writes"),
            "file: got a zip archive; accepted: a safetensors file");
  EXPECT_EQ(parsing("{\"metadata\": {}}"), "file: got JSON text; accepted: a safetensors file");
  EXPECT_EQ(parsing(""), "file: got 0 bytes of another kind; accepted: a safetensors file");
}

TEST(Safetensors, NumbersOfTwoBytesAreTheFloatsTheyAre) {
  const auto values = [](const char* dtype, const std::vector<std::uint16_t>& patterns) {
    const std::string header =
        std::string(R"({"x":{"dtype":")") + dtype + R"(","shape":[4],"data_offsets":[0,8]}})";
    const std::string data(reinterpret_cast<const char*>(patterns.data()), 8);
    return parse_safetensors(with_header(header, data), "a").arrays.at(0).values<float>();
  };
  EXPECT_EQ(values("F16", {0x3C00, 0x0001, 0xFBFF, 0x3555}),
            (std::vector<float>{1, 0x1p-24F, -65504, 0.333251953125F}));
  EXPECT_EQ(values("BF16", {0x3F80, 0x0001, 0xFF7F, 0x3EAB}),
            (std::vector<float>{1, 0x1p-133F, -0x1.FEp127F, 0.333984375F}));
}

TEST(Safetensors, WritingRefusesNamesTypesAndShapesTheFormatCannotHold) {
  const TemporaryFolder folder;
  const auto file = folder / "a";
  const std::vector<std::int32_t> ints{1};
  const ArrayView twice[] = {view("x", {3}, bytes), view("x", {1}, doubles)};
  const ArrayView reserved[] = {view("__metadata__", {3}, bytes)};
  const ArrayView other[] = {view("x", {1}, ints)};
  EXPECT_EQ(refusal([&] { write_safetensors(file, twice); }),
            file.string() + ": got two arrays called \"x\"; accepted: different names");
  EXPECT_NE(refusal([&] { write_safetensors(file, reserved); }), "accepted");
  EXPECT_EQ(refusal([&] { write_safetensors(file, other); }),
            "x: got i32; accepted: f32, f64, i64 or u8 in safetensors");
  EXPECT_EQ(refusal([&] { view("x", {2}, bytes); }),
            "x: got 3 elements; accepted: as many as shape [2] has");
  EXPECT_NE(refusal([&] { write_safetensors(file, {}, {{"a", "\xff"}}); }), "accepted");
  EXPECT_EQ(folder.size(), 0U);
}

TEST(Safetensors, AFullDiskLeavesTheEarlierFile) {
  const TemporaryFolder folder;
  write_all(folder / "a");
  const std::string before = read_file(folder / "a");
  const std::vector<float> large(100'000, 1.0F);
  const ArrayView arrays[] = {view("x", {large.size()}, large)};
  {
    const FileSizeLimit limit(100'000);
    EXPECT_NE(refusal([&] { write_safetensors(folder / "a", arrays); }), "accepted");
  }
  EXPECT_EQ(read_file(folder / "a"), before);
  EXPECT_EQ(folder.size(), 1U);
}

}  // namespace
}  // namespace ito
