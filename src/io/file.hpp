#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ito {

/// The name of standard input as a file, which `read_file` reads even where it cannot be opened.
inline constexpr const char* standard_input = "/dev/stdin";

/// All bytes of a file. Throws ito::Error naming the file and the reason.
std::string read_file(const std::filesystem::path& file);

/// A file that appears under its name complete or not at all. Bytes go to a temporary file in the
/// same folder; `commit` flushes it to the disk and renames it, so a reader sees the old file or
/// the new one, even after a crash. Without `commit` the temporary file is removed. Writing past
/// the file size limit is an error like a full disk, not a signal. All members throw ito::Error
/// naming the file and the reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& file);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void write(std::span<const std::byte> bytes);
  void commit();

  /// Where the bytes are until `commit`, for libraries that write files themselves.
  const std::filesystem::path& temporary() const { return temporary_; }

 private:
  [[noreturn]] void fail(const char* action, int code) const;
  void flush();
  void close();

  std::filesystem::path file_;
  std::filesystem::path temporary_;
  std::string buffer_;
  int descriptor_ = -1;
};

/// Whether a file has the name of an AtomicFile's temporary one: left behind, unless a process is
/// writing it.
bool is_temporary(const std::filesystem::path& file);

/// The file a write to `file` reaches: symbolic links followed, so that a rename does not replace
/// one.
std::filesystem::path target_of(const std::filesystem::path& file);

/// Renames, over a file that is there, and flushes the folder of the new name to the disk. Throws
/// ito::Error.
void move_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Writes `contents` as an AtomicFile.
void write_file(const std::filesystem::path& file, std::string_view contents);

/// While it lives, exceeding the file size limit (RLIMIT_FSIZE) fails with EFBIG on this thread
/// instead of ending the process by SIGXFSZ.
class FileSizeSignalBlock {
 public:
  FileSizeSignalBlock();
  ~FileSizeSignalBlock();
  FileSizeSignalBlock(const FileSizeSignalBlock&) = delete;
  FileSizeSignalBlock& operator=(const FileSizeSignalBlock&) = delete;

 private:
  bool blocked_ = false;
};

/// What a file is, for the message of a reader that was given another kind than its own.
struct FileKind {
  std::string_view name;    ///< "a gzip file"
  std::string_view remedy;  ///< "decompress it first (gunzip)"; may be empty
};

/// By its first bytes: archives, tables and arrays of other programs, other encodings of text,
/// JSON, HTML, anything binary. Nothing for what may be plain text and for an empty file.
std::optional<FileKind> file_kind(std::string_view bytes);

/// Throws ito::Error where `bytes` are of a known kind; `accepted` says what the reader takes.
void refuse_other_kinds(std::string_view bytes, const std::string& what,
                        const std::string& accepted);

}  // namespace ito
