#include "cli/output_folder.hpp"

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/lock_contents.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

/// What of a file changes when another takes its name. Zeros where there is none.
using Stamp = std::array<long long, 5>;

std::vector<Stamp> stamps(const fs::path& folder, std::span<const char* const> names) {
  std::vector<Stamp> result;
  for (const char* name : names) {
    struct stat status {};
    const bool there = ::stat((folder / name).c_str(), &status) == 0;
    result.push_back(there ? Stamp{static_cast<long long>(status.st_dev),
                                   static_cast<long long>(status.st_ino), status.st_size,
                                   status.st_ctim.tv_sec, status.st_ctim.tv_nsec}
                           : Stamp{});
  }
  return result;
}

}  // namespace

OutputFolder::OutputFolder(std::string_view option, fs::path folder)
    : option_(option), folder_(std::move(folder)), on_interrupt_([this] { give_up(); }) {
  const auto held = hold_interrupts();
  std::error_code ignored;
  for (fs::path at = fs::absolute(folder_); !fs::exists(at, ignored); at = at.parent_path())
    missing_.push_back(at);
  try {
    make();
  } catch (...) {
    give_up();
    throw;
  }
}

/// Again where a process that made the folder too, and failed, has taken it away meanwhile.
void OutputFolder::make() {
  constexpr int attempts = 10;
  for (int attempt = 1;; ++attempt) {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (!fs::is_directory(folder_)) {
      throw Error(option_, fmt::format("'{}'", folder_.string()),
                  fmt::format("a folder that exists or can be created ({})",
                              error ? error.message() : "a file stands in its place"));
    }
    try {
      lock_.emplace(OutputLock::of_folder(folder_), option_, folder_);
      return;
    } catch (const Error&) {
      if (fs::is_directory(folder_) || attempt == attempts) throw;
    }
  }
}

void OutputFolder::give_up() noexcept {
  const auto held = hold_interrupts();
  if (lock_) lock_->release();
  std::error_code not_empty;
  for (const fs::path& folder : missing_) fs::remove(folder, not_empty);
}

void OutputFolder::require_own(std::span<const char* const> names) const {
  if (fs::exists(folder_ / names.front())) return;
  for (const char* name : names) {
    if (!fs::exists(folder_ / name)) continue;
    throw Error(option_,
                fmt::format("'{}', which holds a {} but no {}: files of something else",
                            folder_.string(), name, names.front()),
                "another folder, or this one without that file");
  }
}

fs::path OutputFolder::work() const { return work_in(lock_->place()); }

void OutputFolder::keep_work() const { cli::keep_work(lock_->place()); }

void OutputFolder::publish(const fs::path& set, std::span<const char* const> names) const {
  const auto held = hold_interrupts();
  cli::publish(lock_->place(), set, names);
}

void read_published(const fs::path& folder, std::span<const char* const> names,
                    const std::function<void()>& read) {
  constexpr int attempts = 20;
  const fs::path lock = OutputLock::of_folder(folder);
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    if (publication_begun(lock)) {
      try {
        const OutputFolder finished("DIR", folder);
      } catch (const Error&) {
        if (attempt == attempts) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        continue;
      }
    }
    const auto before = stamps(folder, names);
    // First the lock, then the stamps: a publication that ends in between has changed them.
    const auto unchanged = [&] {
      return !publication_begun(lock) && stamps(folder, names) == before;
    };
    try {
      read();
    } catch (const Error&) {
      if (unchanged()) throw;
      continue;
    }
    if (unchanged()) return;
  }
  throw Error("DIR", fmt::format("'{}', whose files change all the time", folder.string()),
              "a folder to which no other process writes");
}

}  // namespace ito::cli
