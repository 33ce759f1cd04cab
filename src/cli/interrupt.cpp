#include "cli/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/output.hpp"

namespace ito::cli {
namespace {

std::atomic<bool> remembering{false};
std::atomic<int> received{0};

struct Undoing {
  std::recursive_mutex mutex;
  std::vector<const std::function<void()>*> functions;
};

/// Never destroyed: the thread may still look at it while the program ends.
Undoing& undoing() {
  static auto& instance = *new Undoing;
  return instance;
}

[[noreturn]] void end_by(int signal) {
  undoing().mutex.lock();  // for good: nobody else says or changes anything from here on
  auto& functions = undoing().functions;
  for (auto undo = functions.rbegin(); undo != functions.rend(); ++undo) {
    try {
      (**undo)();
    } catch (const std::exception&) {
      // The rest is undone all the same.
    }
  }
  print_message(fmt::format("stopped by signal {}", signal));
  ::_exit(128 + signal);
}

void watch(const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    int none = 0;
    if (!remembering || !received.compare_exchange_strong(none, signal)) end_by(signal);
  }
}

}  // namespace

void watch_interrupts() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (signal == SIGHUP && action.sa_handler == SIG_IGN) continue;  // nohup
    // Where it is ignored, as in the background of a script, a blocked signal might not arrive.
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    ::sigaddset(&signals, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  undoing();
  std::thread([signals] { watch(signals); }).detach();
}

void remember_interrupts() { remembering = true; }

int interrupted_by() { return received; }

std::unique_lock<std::recursive_mutex> hold_interrupts() {
  return std::unique_lock(undoing().mutex);
}

OnInterrupt::OnInterrupt(std::function<void()> undo) : undo_(std::move(undo)) {
  const auto held = hold_interrupts();
  undoing().functions.push_back(&undo_);
}

OnInterrupt::~OnInterrupt() {
  const auto held = hold_interrupts();
  std::erase(undoing().functions, &undo_);
}

}  // namespace ito::cli
