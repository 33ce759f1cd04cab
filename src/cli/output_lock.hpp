#pragma once

#include <filesystem>
#include <string_view>

#include "cli/lock_owner.hpp"

namespace ito::cli {

/// The right to write one output, held by one process at a time on any file system.
///
/// A lock is a folder beside the output, or in it where the output is a folder. One file in it
/// names the owner. A folder that is ready is renamed into place, which succeeds only where there
/// is none or an empty one; a lock whose owner is gone is taken over by renaming the owner's file,
/// which succeeds for one process only. Whether the owner is gone is told by the kernel's lock on
/// that file where the file system has locks, and by the process's number and start where both run
/// on one machine. What isn't finished lies in the lock and goes with it.
class OutputLock {
 public:
  /// The lock of a folder, and of a file.
  static std::filesystem::path of_folder(const std::filesystem::path& folder);
  static std::filesystem::path of_file(const std::filesystem::path& file);

  /// Finishes or clears what a process that was killed has left in `place` and in other locks
  /// beside it. Throws ito::Error, which names `option`, `output` and the owner, while another
  /// process owns it.
  OutputLock(std::filesystem::path place, std::string_view option,
             const std::filesystem::path& output);
  ~OutputLock() { release(); }
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

  /// Where unfinished files may lie.
  const std::filesystem::path& place() const { return place_; }
  /// Removes the lock with what is in it, unless there is a publication to finish.
  void release() noexcept;

 private:
  bool create();
  bool take_over(bool last);
  [[noreturn]] void refuse(const LockOwner& owner, LockOwner::State state) const;

  std::filesystem::path place_;
  std::string_view option_;
  std::filesystem::path output_;
  int descriptor_ = -1;  ///< of the owner's file, locked where the file system has locks
};

}  // namespace ito::cli
