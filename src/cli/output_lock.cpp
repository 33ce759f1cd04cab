#include "cli/output_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/interrupt.hpp"
#include "cli/lock_contents.hpp"
#include "cli/lock_owner.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view lock_name = ".ito-lock";
constexpr std::string_view new_name = ".ito-new-";  // a lock that is not in place

// Together 0.2 s: a lock that is just being given up, or cleared by a neighbour, is waited for.
constexpr int attempts = 20;
constexpr std::chrono::milliseconds pause{10};

std::string reason(int code) { return std::generic_category().message(code); }

/// An owner's file, open, and what the kernel says of it.
struct OwnerFile {
  fs::path path;
  LockOwner owner;
  int descriptor = -1;
  bool locked = false;    // by another process
  bool unlocked = false;  // by no other: this one has locked it
  LockOwner::State state() const {
    if (locked) return LockOwner::State::running;
    // This process's own, where it could not finish a publication.
    if (path.filename() == LockOwner::self().file_name()) return LockOwner::State::gone;
    return owner.state(unlocked);
  }
};

/// Locks an open file where the file system can.
void lock_by_kernel(OwnerFile& file) {
  const bool got = ::flock(file.descriptor, LOCK_EX | LOCK_NB) == 0;
  file.unlocked = got;
  file.locked = !got && errno == EWOULDBLOCK;
}

std::optional<OwnerFile> owner_file_in(const fs::path& lock) {
  std::error_code error;
  for (fs::directory_iterator entry(lock, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto owner = LockOwner::parse(entry->path().filename().string());
    if (!owner) continue;
    OwnerFile file{.path = entry->path(), .owner = *owner};
    // NFS locks only what is open for writing; another user's file cannot be.
    file.descriptor = ::open(file.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file.descriptor < 0)
      file.descriptor = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file.descriptor < 0) return std::nullopt;
    lock_by_kernel(file);
    return file;
  }
  return std::nullopt;
}

bool rename_path(const fs::path& from, const fs::path& to) {
  return ::rename(from.c_str(), to.c_str()) == 0;
}

/// A name in `folder` that nothing has: of this process, and counted.
fs::path new_path(const fs::path& folder) {
  static std::atomic<unsigned> count{0};
  fs::path path;
  std::error_code ignored;
  do {
    path = folder / fmt::format("{}{}-{}", new_name, ::getpid(), count++);
  } while (fs::exists(fs::symlink_status(path, ignored)));
  return path;
}

/// Makes one there; empty, with errno set, where it cannot.
fs::path make_new_folder(const fs::path& folder) {
  for (;;) {
    fs::path made = new_path(folder);
    if (::mkdir(made.c_str(), 0777) == 0) return made;
    if (errno != EEXIST) return {};
  }
}

void remove_all_but(const fs::path& folder, const fs::path& kept) {
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path() != kept) fs::remove_all(entry->path(), ignored);
  }
}

/// Gives up a lock of this process. It goes out of the way first: nobody then takes this process
/// for the output's owner, or leaves something in it. The owner's file goes last.
void remove_lock(const fs::path& lock, int descriptor) {
  const fs::path aside = new_path(lock.parent_path());
  const fs::path& now = rename_path(lock, aside) ? aside : lock;
  const fs::path owner = now / LockOwner::self().file_name();
  remove_all_but(now, owner);
  ::unlink(owner.c_str());
  if (descriptor >= 0) ::close(descriptor);  // NFS keeps the folder full while the file is open
  ::rmdir(now.c_str());
}

/// Removes a lock beside ours whose owner is gone.
void clear_lock(const fs::path& lock) {
  if (::rmdir(lock.c_str()) == 0) return;  // one that was being made or given up
  const auto file = owner_file_in(lock);
  if (!file) return;
  if (file->state() == LockOwner::State::gone &&
      rename_path(file->path, lock / LockOwner::self().file_name()))
    remove_lock(lock, file->descriptor);
  else
    ::close(file->descriptor);
}

void clear_neighbours(const fs::path& place) {
  std::error_code error, ignored;
  for (fs::directory_iterator entry(place.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool lock = name.starts_with(fmt::format("{}-", lock_name)) || name.starts_with(new_name);
    if (lock && entry->path() != place && fs::is_directory(entry->symlink_status(ignored)))
      clear_lock(entry->path());
  }
}

}  // namespace

fs::path OutputLock::of_folder(const fs::path& folder) { return fs::absolute(folder) / lock_name; }

fs::path OutputLock::of_file(const fs::path& file) {
  constexpr std::size_t most = 200;  // of the 255 bytes of a name
  std::string name = file.filename().string();
  if (name.size() > most)
    name = fmt::format("{}-{:x}", name.substr(0, most), std::hash<std::string>{}(name));
  return fs::absolute(file).parent_path() / fmt::format("{}-{}", lock_name, name);
}

OutputLock::OutputLock(fs::path place, std::string_view option, const fs::path& output)
    : place_(std::move(place)), option_(option), output_(output) {
  const auto held = hold_interrupts();
  clear_neighbours(place_);
  // What has no owner is changing hands at this moment, unless it stays so.
  for (int attempt = 1; !create() && !take_over(attempt >= attempts); ++attempt) {
    if (attempt == 2 * attempts) {
      throw Error(std::string(option_),
                  fmt::format("'{}', whose lock does not say who owns it", output_.string()),
                  fmt::format("another place, or this one once {} is removed", place_.string()));
    }
    std::this_thread::sleep_for(pause);
  }
  try {
    finish_publication(place_);
    keep_work(place_);
    remove_all_but(place_, place_ / LockOwner::self().file_name());
  } catch (...) {
    release();
    throw;
  }
}

/// False where there is a lock already.
bool OutputLock::create() {
  const fs::path made = make_new_folder(place_.parent_path());
  if (made.empty()) {
    throw Error(fmt::format("{}: {}: cannot create a file in its folder: {}", option_,
                            output_.string(), reason(errno)));
  }
  OwnerFile file{.path = made / LockOwner::self().file_name(), .owner = {}};
  file.descriptor = ::open(file.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  const int code = errno;
  if (file.descriptor >= 0) lock_by_kernel(file);
  if (file.descriptor >= 0 && !file.locked && rename_path(made, place_)) {
    descriptor_ = file.descriptor;
    return true;
  }
  const int refused = file.descriptor < 0 ? code : errno;
  remove_lock(made, file.descriptor);
  // ENOENT: a neighbour has taken the new folder for one left behind. Otherwise there is a lock.
  if (refused == ENOTEMPTY || refused == EEXIST || refused == ENOENT || file.locked) return false;
  throw Error(fmt::format("{}: {}: cannot create: {}", option_, place_.string(), reason(refused)));
}

/// False where there is no lock any more, or another process is taking it over.
bool OutputLock::take_over(bool last) {
  const auto file = owner_file_in(place_);
  if (!file) {
    ::rmdir(place_.c_str());  // one that is empty is nobody's, and not all systems rename over it
    return false;
  }
  const LockOwner::State state = file->state();
  const fs::path own = place_ / LockOwner::self().file_name();
  if (state == LockOwner::State::gone && rename_path(file->path, own)) {
    descriptor_ = file->descriptor;
    return true;
  }
  const bool forbidden = errno == EACCES || errno == EPERM;
  ::close(file->descriptor);
  if (state == LockOwner::State::gone && forbidden) {
    throw Error(
        fmt::format("{}: {}: cannot take over the lock of process {}, which has ended; "
                    "another user has to remove it",
                    option_, place_.string(), file->owner.process));
  }
  if (state == LockOwner::State::unknown || (state == LockOwner::State::running && last))
    refuse(file->owner, state);
  return false;
}

void OutputLock::refuse(const LockOwner& owner, LockOwner::State state) const {
  if (state == LockOwner::State::unknown) {
    throw Error(std::string(option_),
                fmt::format("'{}', locked by process {} on host '{}', which cannot be checked from "
                            "host '{}'",
                            output_.string(), owner.process, owner.host, LockOwner::self().host),
                fmt::format("another place, or this one once that process has ended; if it has, "
                            "remove {}",
                            place_.string()));
  }
  throw Error(std::string(option_),
              fmt::format("'{}', to which process {} on host '{}' is writing", output_.string(),
                          owner.process, owner.host),
              "another place, or this one once that process has ended");
}

void OutputLock::release() noexcept {
  const auto held = hold_interrupts();
  if (descriptor_ < 0) return;
  const int descriptor = std::exchange(descriptor_, -1);
  const fs::path owner = place_ / LockOwner::self().file_name();
  // Left as after a kill where a publication has broken off: the next command finishes it.
  if (::access(owner.c_str(), F_OK) == 0 && !publication_begun(place_))
    remove_lock(place_, descriptor);
  else
    ::close(descriptor);
}

}  // namespace ito::cli
