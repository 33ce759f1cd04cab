#include "io/file.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <ito/error.hpp>

namespace ito {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  FileKind kind;
};

constexpr std::string_view unpack = "decompress it first";
constexpr std::string_view exported = "export it from a program that reads it";
constexpr std::string_view as_utf8 = "save it as UTF-8";

// A longer one before those it begins with.
constexpr std::array signatures{
    Signature{"\x1f\x8b"sv, {"a gzip file", "decompress it first (gunzip)"}},
    Signature{"\xfd"
              "7zXZ\0"sv,
              {"an xz file", "decompress it first (unxz)"}},
    Signature{"\x28\xb5\x2f\xfd"sv, {"a Zstandard file", "decompress it first (unzstd)"}},
    Signature{"7z\xbc\xaf\x27\x1c"sv, {"a 7-Zip archive", unpack}},
    Signature{"PK\x03\x04"sv, {"a zip archive", ""}},
    Signature{"PK\x05\x06"sv, {"a zip archive without files", ""}},
    Signature{"\x93NUMPY"sv, {"a .npy file", ""}},
    Signature{"\x89HDF\r\n\x1a\n"sv, {"an HDF5 file", exported}},
    Signature{"MATLAB 5.0 MAT-file"sv, {"a MATLAB file", exported}},
    Signature{"PAR1"sv, {"a Parquet file", exported}},
    Signature{"ARROW1"sv, {"an Arrow file", exported}},
    Signature{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, {"an Excel workbook", exported}},
    Signature{"SQLite format 3\0"sv, {"an SQLite database", exported}},
    Signature{"\x80\x02"sv, {"a Python pickle", "write plain arrays from Python"}},
    Signature{"\x80\x03"sv, {"a Python pickle", "write plain arrays from Python"}},
    Signature{"\x80\x04"sv, {"a Python pickle", "write plain arrays from Python"}},
    Signature{"\x80\x05"sv, {"a Python pickle", "write plain arrays from Python"}},
    Signature{"\x89PNG\r\n\x1a\n"sv, {"a PNG image", ""}},
    Signature{"\xff\xd8\xff"sv, {"a JPEG image", ""}},
    Signature{"%PDF-"sv, {"a PDF document", ""}},
    Signature{"\x7f"
              "ELF"sv,
              {"a program", ""}},
    Signature{"\xff\xfe\0\0"sv, {"UTF-32 text", as_utf8}},
    Signature{"\0\0\xfe\xff"sv, {"UTF-32 text", as_utf8}},
    Signature{"\xff\xfe"sv, {"UTF-16 text", as_utf8}},
    Signature{"\xfe\xff"sv, {"UTF-16 text", as_utf8}},
    Signature{"version https://git-lfs"sv,
              {"a Git LFS pointer, not the file it stands for", "fetch that by `git lfs pull`"}},
};

bool is_bzip2(std::string_view bytes) {
  return bytes.size() >= 10 && bytes.starts_with("BZh") && bytes.substr(4, 6) == "1AY&SY";
}

bool is_safetensors(std::string_view bytes) {
  std::uint64_t header = 0;
  if (bytes.size() < sizeof header + 1) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  return bytes[sizeof header] == '{' && header <= bytes.size() - sizeof header;
}

/// Text that begins like a document of another language.
std::optional<FileKind> document_kind(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  if (text.starts_with('{')) return FileKind{"JSON text", ""};
  for (const std::string_view tag : {"<!", "<?", "<html", "<HTML"})
    if (text.starts_with(tag)) return FileKind{"HTML or XML text", ""};
  return std::nullopt;
}

/// Of bytes with a zero among them, which text has none of.
FileKind zeros_kind(std::string_view bytes) {
  const std::size_t pairs = bytes.size() / 2;
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < 2 * pairs; ++i) zeros[i % 2] += bytes[i] == '\0' ? 1 : 0;
  // In UTF-16 every other byte of Latin letters and digits is zero, and none of the others.
  const auto [few, many] = std::minmax(zeros[0], zeros[1]);
  const bool utf16 = few == 0 && many >= pairs - pairs / 4;
  return utf16 ? FileKind{"UTF-16 text", as_utf8} : FileKind{"binary data", ""};
}

}  // namespace

std::optional<FileKind> file_kind(std::string_view bytes) {
  for (const Signature& signature : signatures)
    if (bytes.starts_with(signature.bytes)) return signature.kind;
  if (is_bzip2(bytes)) return FileKind{"a bzip2 file", "decompress it first (bunzip2)"};
  if (is_safetensors(bytes)) return FileKind{"a safetensors file", ""};
  if (const auto kind = document_kind(bytes)) return kind;
  const std::string_view beginning = bytes.substr(0, 4096);
  if (beginning.find('\0') != std::string_view::npos) return zeros_kind(beginning);
  return std::nullopt;
}

void refuse_other_kinds(std::string_view bytes, const std::string& what,
                        const std::string& accepted) {
  const std::optional<FileKind> kind = file_kind(bytes);
  if (!kind) return;
  const std::string remedy(kind->remedy);
  throw Error(what, std::string(kind->name), accepted + (remedy.empty() ? "" : "; " + remedy));
}

}  // namespace ito
