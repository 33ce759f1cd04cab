#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "io/file.hpp"
#include "io/npy.hpp"

namespace ito {
namespace {

constexpr std::string_view extension = ".npy";

/// Messages of libzip as ito::Error.
[[noreturn]] void fail(const std::filesystem::path& file, const char* action, const char* message) {
  throw Error(fmt::format("{}: cannot {}: {}", file.string(), action, message));
}

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Entry = std::unique_ptr<zip_file_t, Discard>;

Archive open(const std::filesystem::path& name, int flags, const std::filesystem::path& file) {
  int code = 0;
  Archive archive(zip_open(name.c_str(), flags, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string message = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail(file, "open", message.c_str());
  }
  return archive;
}

std::string read_entry(zip_t* archive, zip_uint64_t index, const std::filesystem::path& file) {
  zip_stat_t status;
  if (zip_stat_index(archive, index, 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0) {
    fail(file, "read", zip_strerror(archive));
  }
  const Entry entry(zip_fopen_index(archive, index, 0));
  if (!entry) fail(file, "read", zip_strerror(archive));
  // The size is a claim of the file, so memory grows with what really comes.
  constexpr std::size_t step = std::size_t{1} << 22;
  std::string bytes;
  for (;;) {
    const std::size_t end = bytes.size();
    bytes.resize(end + step);
    const zip_int64_t got = zip_fread(entry.get(), bytes.data() + end, step);
    if (got < 0) fail(file, "read", zip_file_strerror(entry.get()));
    bytes.resize(end + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  if (bytes.size() != status.size) fail(file, "read", "an entry is truncated");
  return bytes;
}

void add(zip_t* archive, const ArrayView& array, const std::string& header,
         const std::filesystem::path& file) {
  // libzip reads both parts where they lie when the archive is closed.
  zip_buffer_fragment_t parts[] = {
      {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
      {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(array.bytes.data())),
       array.bytes.size()}};
  zip_source_t* source = zip_source_buffer_fragment(archive, parts, array.bytes.empty() ? 1 : 2, 0);
  if (source == nullptr) fail(file, "write", zip_strerror(archive));
  const std::string name = array.name + std::string(extension);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail(file, "write", zip_strerror(archive));
  }
  // 1980-01-01, the first day a zip file knows.
  constexpr zip_uint16_t date = (1 << 5) | 1;
  const auto entry = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, entry, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, entry, 0, date, 0) != 0) {
    fail(file, "write", zip_strerror(archive));
  }
}

}  // namespace

std::vector<Array> read_npz(const std::filesystem::path& file) {
  const Archive archive = open(file, ZIP_RDONLY | ZIP_CHECKCONS, file);
  std::vector<Array> arrays;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* name = zip_get_name(archive.get(), index, 0);
    if (name == nullptr) fail(file, "read", zip_strerror(archive.get()));
    std::string stem = name;
    if (!stem.ends_with(extension)) {
      throw Error(file.string(), fmt::format("an entry \"{:.60}\"", stem),
                  "entries called NAME.npy");
    }
    stem.resize(stem.size() - extension.size());
    arrays.push_back(parse_npy(read_entry(archive.get(), index, file),
                               fmt::format("{}, array \"{:.60}\"", file.string(), stem)));
    arrays.back().name = stem;
  }
  return arrays;
}

void write_npz(const std::filesystem::path& file, std::span<const ArrayView> arrays) {
  // libzip deletes an archive without entries.
  if (arrays.empty()) throw Error(file.string(), "no arrays", "at least one array");
  AtomicFile out(file);
  const FileSizeSignalBlock block;
  Archive archive = open(out.temporary(), ZIP_CREATE | ZIP_TRUNCATE, file);
  std::vector<std::string> headers;
  for (const ArrayView& array : arrays) headers.push_back(npy_header(array));
  for (std::size_t i = 0; i < arrays.size(); ++i) add(archive.get(), arrays[i], headers[i], file);
  // libzip writes a file of its own beside the temporary one and renames it; a failure removes it.
  if (zip_close(archive.get()) != 0) fail(file, "write", zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  out.commit();
}

}  // namespace ito
