#include "cli/lock_contents.hpp"

#include <string>
#include <system_error>
#include <vector>

#include "io/file.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

fs::path ready_in(const fs::path& lock) { return lock / "ready"; }

/// A line a file.
fs::path obsolete_in(const fs::path& lock) { return lock / "obsolete"; }

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

void remove_obsolete(const fs::path& lock) {
  const std::string names = read_file(obsolete_in(lock));
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = names.find('\n', begin);
    fs::remove(lock.parent_path() / names.substr(begin, end - begin));
    begin = end + 1;
  }
}

void remove_temporaries(const fs::path& folder) {
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_temporary(entry->path())) fs::remove(entry->path(), ignored);
  }
}

}  // namespace

void publish(const fs::path& lock, const fs::path& set, std::span<const char* const> names) {
  std::string obsolete;
  for (const char* name : names)
    if (!fs::exists(set / name)) obsolete += std::string(name) + '\n';
  write_file(obsolete_in(lock), obsolete);
  move_file(set, ready_in(lock));
  finish_publication(lock);
}

bool publication_begun(const fs::path& lock) {
  std::error_code unreadable;
  return fs::exists(ready_in(lock), unreadable);
}

void finish_publication(const fs::path& lock) {
  if (!publication_begun(lock)) return;
  for (const fs::path& file : files_in(ready_in(lock)))
    move_file(file, lock.parent_path() / file.filename());
  remove_obsolete(lock);
  fs::remove(ready_in(lock));
}

fs::path work_in(const fs::path& lock) { return lock / "work"; }

void keep_work(const fs::path& lock) {
  const fs::path stopped = lock / "stopped", unfinished = lock.parent_path() / "unfinished";
  if (fs::exists(work_in(lock))) move_file(work_in(lock), stopped);
  if (!fs::exists(stopped)) return;
  remove_temporaries(stopped);
  if (!fs::exists(unfinished)) {
    move_file(stopped, unfinished);
    return;
  }
  // Somebody keeps files of their own there.
  for (const auto& entry : fs::directory_iterator(stopped))
    move_file(entry.path(), unfinished / entry.path().filename());
}

}  // namespace ito::cli
