#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ito::cli {

/// A process that holds a lock, told apart from every other one on any machine.
struct LockOwner {
  long process = 0;
  std::string start;      ///< of the process, in clock ticks after the machine's
  std::string processes;  ///< the namespace that numbers it
  std::string boot;       ///< of the machine; the same in all its containers
  std::string machine;    ///< its identity, which starting it anew does not change
  std::string host;

  static LockOwner self();

  /// All of it as the name of a file, and back.
  std::string file_name() const;
  static std::optional<LockOwner> parse(std::string_view file_name);

  enum class State {
    running,
    gone,
    unknown,  ///< on another machine, or in another container
  };
  /// `unlocked`: the kernel says that no process has the owner's file locked. A file system without
  /// locks never says so.
  State state(bool unlocked) const;
};

}  // namespace ito::cli
