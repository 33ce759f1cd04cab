#include "cli/kept_work.hpp"

#include <system_error>

#include "io/file.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

void remove_temporaries(const fs::path& folder) {
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_temporary(entry->path())) fs::remove(entry->path(), ignored);
  }
}

}  // namespace

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
