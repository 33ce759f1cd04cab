#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "io/file.hpp"
#include "io/npy.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

constexpr std::string_view extension = ".npy";

/// Messages of libzip as ito::Error.
[[noreturn]] void fail(const std::string& file, const char* action, const char* message) {
  throw Error(fmt::format("{}: cannot {}: {}", file, action, message));
}

void discard(zip_t* archive) { zip_discard(archive); }

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Entry = std::unique_ptr<zip_file_t, Discard>;

struct ZipError : zip_error_t {
  ZipError() : zip_error_t() { zip_error_init(this); }
  ~ZipError() { zip_error_fini(this); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
};

Archive create(const std::filesystem::path& name, const std::filesystem::path& file) {
  int code = 0;
  Archive archive(zip_open(name.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!archive) {
    ZipError error;
    zip_error_set(&error, code, 0);
    fail(file.string(), "open", zip_error_strerror(&error));
  }
  return archive;
}

zip_t* open(std::string_view bytes, const std::string& what) {
  // libzip takes nothing for an archive of nothing.
  if (!is_npz(bytes)) fail(what, "open", "Not a zip archive");
  ZipError error;
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) fail(what, "open", zip_error_strerror(&error));
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (archive == nullptr) {
    zip_source_free(source);
    fail(what, "open", zip_error_strerror(&error));
  }
  return archive;
}

std::string read_entry(zip_t* archive, zip_uint64_t index, const std::string& what) {
  zip_stat_t status;
  if (zip_stat_index(archive, index, 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0) {
    fail(what, "read", zip_strerror(archive));
  }
  const Entry entry(zip_fopen_index(archive, index, 0));
  if (!entry) fail(what, "read", zip_strerror(archive));
  // The size is a claim of the file, so memory grows with what really comes, up to that.
  constexpr std::size_t step = std::size_t{1} << 22;
  std::string bytes;
  while (bytes.size() <= status.size) {
    const std::size_t end = bytes.size();
    bytes.resize(end + step);
    const zip_int64_t got = zip_fread(entry.get(), bytes.data() + end, step);
    if (got < 0) fail(what, "read", zip_file_strerror(entry.get()));
    bytes.resize(end + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  if (bytes.size() != status.size) fail(what, "read", "an entry has another size than it says");
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
  if (source == nullptr) fail(file.string(), "write", zip_strerror(archive));
  const std::string name = array.name + std::string(extension);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail(file.string(), "write", zip_strerror(archive));
  }
  // 1980-01-01, the first day a zip file knows.
  constexpr zip_uint16_t date = (1 << 5) | 1;
  const auto entry = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, entry, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, entry, 0, date, 0) != 0) {
    fail(file.string(), "write", zip_strerror(archive));
  }
}

}  // namespace

bool is_npz(std::string_view bytes) {
  return bytes.starts_with(std::string_view("PK\x03\x04", 4)) ||
         bytes.starts_with(std::string_view("PK\x05\x06", 4));
}

NpzReader::NpzReader(std::string_view bytes, std::string what)
    : what_(std::move(what)), archive_(open(bytes, what_), discard) {
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
    if (name == nullptr) fail(what_, "read", zip_strerror(archive_.get()));
    std::string stem = name;
    if (!stem.ends_with(extension)) {
      throw Error(what_, fmt::format("a zip archive with an entry \"{}\"", shortened(stem, 60)),
                  "entries called NAME.npy");
    }
    stem.resize(stem.size() - extension.size());
    names_.push_back(stem);
  }
}

Array NpzReader::read(std::size_t number) const {
  const std::string what = fmt::format("{}, array \"{}\"", what_, shortened(names_.at(number), 60));
  Array array = parse_npy(read_entry(archive_.get(), number, what_), what);
  array.name = names_[number];
  return array;
}

std::vector<Array> read_npz(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  const NpzReader reader(bytes, file.string());
  std::vector<Array> arrays;
  for (std::size_t i = 0; i < reader.names().size(); ++i) arrays.push_back(reader.read(i));
  return arrays;
}

void write_npz(const std::filesystem::path& file, std::span<const ArrayView> arrays) {
  // libzip deletes an archive without entries.
  if (arrays.empty()) throw Error(file.string(), "no arrays", "at least one array");
  AtomicFile out(file);
  const FileSizeSignalBlock block;
  Archive archive = create(out.temporary(), file);
  std::vector<std::string> headers;
  for (const ArrayView& array : arrays) headers.push_back(npy_header(array));
  for (std::size_t i = 0; i < arrays.size(); ++i) add(archive.get(), arrays[i], headers[i], file);
  // libzip writes a file of its own beside the temporary one and renames it; a failure removes it.
  if (zip_close(archive.get()) != 0) fail(file.string(), "write", zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  out.commit();
}

}  // namespace ito
