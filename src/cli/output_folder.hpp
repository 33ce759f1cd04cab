#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/interrupt.hpp"
#include "cli/output_lock.hpp"

namespace ito::cli {

/// A folder for results that this process alone writes, from before the long work until the object
/// goes. What of the folder was made for it and has nothing in it goes with it.
class OutputFolder {
 public:
  /// Makes the folder where it is missing. Throws ito::Error, which names `option`, where the
  /// folder takes no files or another process writes to it.
  OutputFolder(std::string_view option, std::filesystem::path folder);
  ~OutputFolder() { give_up(); }

  /// Refuses a folder in which another command's files, or somebody's own, have the names of this
  /// set: the first name is of the file that only this command writes.
  void require_own(std::span<const char* const> names) const;

  /// A folder to make for files that are not ready. It goes with the object; where the process is
  /// killed it becomes the subfolder `unfinished`.
  std::filesystem::path work() const;
  /// The same where it is of no use to a later run.
  std::filesystem::path staging() const { return lock_->place() / "staging"; }
  /// `work` becomes `unfinished` at once. Nothing that still writes there leaves anything.
  void keep_work() const;

  /// Replaces the files `names` by those in the folder `set`, on the same file system: all of them,
  /// whatever happens meanwhile (see lock_contents.hpp).
  void publish(const std::filesystem::path& set, std::span<const char* const> names) const;

 private:
  void make();
  void give_up() noexcept;

  std::string option_;
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> missing_;  ///< on the way to it at first, innermost first
  OnInterrupt on_interrupt_;
  std::optional<OutputLock> lock_;
};

/// Calls `read`, which reads the files `names` of a folder, until all were of one set: again where
/// they were replaced meanwhile. Finishes a publication that has broken off. Throws ito::Error.
void read_published(const std::filesystem::path& folder, std::span<const char* const> names,
                    const std::function<void()>& read);

}  // namespace ito::cli
