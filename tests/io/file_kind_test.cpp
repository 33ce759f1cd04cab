#include "io/file.hpp"

#include <gtest/gtest.h>

#include "io/npy.hpp"
#include "refusal.hpp"

namespace ito {
namespace {

using namespace std::string_view_literals;

std::string utf16(std::string_view text) {
  std::string bytes;
  for (const char c : text) bytes += {c, '\0'};
  return bytes;
}

TEST(FileKind, IsToldByTheFirstBytes) {
  struct Case {
    std::string bytes;
    std::string_view name;
  };
  const std::vector<float> one{1};
  const Case cases[] = {
      {std::string("\x1f\x8b\x08\0\0"sv), "a gzip file"},
      {"BZh91AY&SY\x01", "a bzip2 file"},
      {std::string("\xfd"
                   "7zXZ\0\0"sv),
       "an xz file"},
      {"\x28\xb5\x2f\xfd\x04", "a Zstandard file"},
      {"PK\x03\x04rest", "a zip archive"},
      {npy_header(ArrayView("", {1}, std::span<const float>(one))), "a .npy file"},
      {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
      {"PAR1\x15", "a Parquet file"},
      {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook"},
      {"\x80\x04\x95", "a Python pickle"},
      {"\xff\xfe" + utf16("a,b\n1,2\n"), "UTF-16 text"},
      {std::string("\xfe\xff\0a\0,\0b"sv), "UTF-16 text"},
      {utf16("a,b\n1,2\n"), "UTF-16 text"},
      {std::string("\xff\xfe\0\0a\0\0\0"sv), "UTF-32 text"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n",
       "a Git LFS pointer, not the file it stands for"},
      {std::string("\x02\0\0\0\0\0\0\0{}"sv), "a safetensors file"},
      {"\xef\xbb\xbf {\"state\": 1}", "JSON text"},
      {"<!DOCTYPE html><html>", "HTML or XML text"},
      {std::string("1,2\n\0\x07\x11\x22"sv), "binary data"},
  };
  for (const Case& one_case : cases) {
    const auto kind = file_kind(one_case.bytes);
    ASSERT_TRUE(kind) << one_case.name;
    EXPECT_EQ(kind->name, one_case.name);
  }
}

TEST(FileKind, OfPlainTextIsNone) {
  for (const char* text : {"", "a,b\n1,2\n",
                           "\xef\xbb\xbf"
                           "1,2\n",
                           "[m],[s]\n1,2\n", "BZh,b\n",
                           "gr\xf6\xdf"
                           "e,b\n1,2\n"})
    EXPECT_FALSE(file_kind(text)) << text;
}

TEST(FileKind, IsRefusedWithWhatToDo) {
  EXPECT_EQ(refusal([] { refuse_other_kinds("\x1f\x8b", "a.csv", "CSV text"); }),
            "a.csv: got a gzip file; accepted: CSV text; decompress it first (gunzip)");
  EXPECT_EQ(refusal([] { refuse_other_kinds("1,2", "a.csv", "CSV text"); }), "accepted");
}

}  // namespace
}  // namespace ito
