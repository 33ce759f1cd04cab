#pragma once

#include <functional>
#include <mutex>

namespace ito::cli {

/// From here on SIGINT, SIGTERM and SIGHUP (unless it is ignored) go to a thread that undoes what
/// must not stay behind, says so and ends the program with status 128 + N. To be called before any
/// other thread begins.
void watch_interrupts();

/// From here on the first of these signals is only remembered; a second one ends the program.
void remember_interrupts();

/// The signal remembered, or 0.
int interrupted_by();

/// While it is held no signal ends the program: what is done under it is done whole.
[[nodiscard]] std::unique_lock<std::recursive_mutex> hold_interrupts();

/// What to undo where a signal ends the program while this object lives. Called on another thread,
/// the youngest first.
class OnInterrupt {
 public:
  explicit OnInterrupt(std::function<void()> undo);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  std::function<void()> undo_;
};

}  // namespace ito::cli
