#include "io/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

#include <ito/error.hpp>

namespace ito {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18;

std::string reason(int code) { return std::generic_category().message(code); }

/// Never two of the same name: the process, and a count within it.
std::filesystem::path temporary_name(const std::filesystem::path& file) {
  static std::atomic<unsigned> count{0};
  return file.parent_path() / fmt::format(".ito-{}-{}.tmp", ::getpid(), count++);
}

void sync_folder(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  // The rename is done; a file system that cannot sync folders only delays its way to the disk.
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

bool is_temporary(const std::filesystem::path& file) {
  // libzip adds an ending of its own to the name it is given.
  const std::string name = file.filename().string();
  return name.starts_with(".ito-") && name.find(".tmp") != std::string::npos;
}

std::filesystem::path target_of(const std::filesystem::path& file) {
  constexpr int most_links = 40;  // as many as the system follows
  std::filesystem::path target = file;
  for (int links = 0; links < most_links; ++links) {
    std::error_code none;
    const auto next = std::filesystem::read_symlink(target, none);
    if (none) return target;  // which need not exist yet
    target = target.parent_path() / next;
  }
  return file;
}

void move_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw Error(fmt::format("{}: cannot rename into place: {}", to.string(), reason(errno)));
  sync_folder(to);
}

std::string read_file(const std::filesystem::path& file) {
  const int descriptor = file == standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                                : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error(fmt::format("{}: cannot open: {}", file.string(), reason(errno)));
  std::string bytes;
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    bytes.reserve(static_cast<std::size_t>(status.st_size) + 1);
  }
  // A pipe has no size, so read until the end in any case.
  for (std::size_t end = 0;;) {
    bytes.resize(std::max(bytes.capacity(), end + buffer_size));
    const ssize_t got = ::read(descriptor, bytes.data() + end, bytes.size() - end);
    const int code = errno;
    if (got < 0 && code == EINTR) continue;
    if (got > 0) {
      end += static_cast<std::size_t>(got);
      continue;
    }
    ::close(descriptor);
    if (got < 0) throw Error(fmt::format("{}: cannot read: {}", file.string(), reason(code)));
    bytes.resize(end);
    return bytes;
  }
}

FileSizeSignalBlock::FileSizeSignalBlock() {
  sigset_t signal, previous;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  blocked_ =
      pthread_sigmask(SIG_BLOCK, &signal, &previous) == 0 && sigismember(&previous, SIGXFSZ) == 0;
}

FileSizeSignalBlock::~FileSizeSignalBlock() {
  if (!blocked_) return;
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  // A pending one would be delivered by unblocking, so take it first.
  const timespec at_once{};
  while (sigtimedwait(&signal, nullptr, &at_once) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &signal, nullptr);
}

AtomicFile::AtomicFile(const std::filesystem::path& file) : file_(target_of(file)) {
  struct stat existing {};
  buffer_.reserve(buffer_size);  // first, because nothing removes the file if this throws
  const bool exists = ::stat(file_.c_str(), &existing) == 0;
  if (exists && !S_ISREG(existing.st_mode)) {
    throw Error(file.string(), S_ISDIR(existing.st_mode) ? "a folder" : "a special file",
                "the name of a regular file to write");
  }
  do {
    temporary_ = temporary_name(file_);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail("create a file in its folder", errno);
  // Replacing a file keeps its permissions; not being able to is no reason to lose the data.
  if (exists && ::fchmod(descriptor_, existing.st_mode & 07777) != 0) errno = 0;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* action, int code) const {
  throw Error(fmt::format("{}: cannot {}: {}", file_.string(), action, reason(code)));
}

void AtomicFile::flush() {
  const FileSizeSignalBlock block;
  for (std::string_view rest = buffer_; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fail("write", errno);
    }
  }
  buffer_.clear();
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, buffer_size - buffer_.size());
    buffer_ += part;
    bytes.remove_prefix(part.size());
    if (buffer_.size() == buffer_size) flush();
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::close() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) fail("close", errno);
}

void AtomicFile::commit() {
  flush();
  close();
  // Opened again by name, because a library may have put another file there.
  descriptor_ = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail("open again", errno);
  if (::fsync(descriptor_) != 0) fail("flush to the disk", errno);
  close();
  move_file(temporary_, file_);
  temporary_.clear();
}

void write_file(const std::filesystem::path& file, std::string_view contents) {
  AtomicFile out(file);
  out.write(contents);
  out.commit();
}

}  // namespace ito
