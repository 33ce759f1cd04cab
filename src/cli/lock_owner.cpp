#include "cli/lock_owner.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace ito::cli {
namespace {

std::string contents(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A process's state letter and start, from /proc/PID/stat; empty where it cannot be read.
struct ProcessStat {
  std::string state, start;
};
ProcessStat stat_of(const std::string& process) {
  const std::string text = contents("/proc/" + process + "/stat");
  // The program's name in parentheses may contain anything; 22 fields are counted from 1 before it.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  const std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
  constexpr std::size_t state = 0, start = 22 - 3;
  return values.size() > start ? ProcessStat{values[state], values[start]} : ProcessStat{};
}

bool is_running(long process, const std::string& start) {
  if (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) return false;
  const ProcessStat now = stat_of(fmt::format("{}", process));
  if (now.state == "Z" || now.state == "X") return false;  // ended; its parent has not looked yet
  return start.empty() || now.start.empty() || now.start == start;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

/// A value as part of a file name.
std::string plain(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\0'; });
  std::ranges::replace_if(
      text, [](char c) { return c == '/' || c == ','; }, '-');
  return text.substr(0, 64);  // all of them fit into the 255 bytes of a name
}

/// The value of `key` in "key=value,key=value".
std::optional<std::string> field(std::string_view text, std::string_view key) {
  const std::string all = fmt::format(",{},", text), wanted = fmt::format(",{}=", key);
  const auto place = all.find(wanted);
  if (place == std::string::npos) return std::nullopt;
  const auto begin = place + wanted.size();
  return all.substr(begin, all.find(',', begin) - begin);
}

}  // namespace

LockOwner LockOwner::self() {
  std::error_code none;
  return {.process = ::getpid(),
          .start = plain(stat_of("self").start),
          .processes = plain(std::filesystem::read_symlink("/proc/self/ns/pid", none).string()),
          .boot = plain(contents("/proc/sys/kernel/random/boot_id")),
          .machine = plain(contents("/etc/machine-id")),
          .host = plain(host_name())};
}

std::string LockOwner::file_name() const {
  return fmt::format("pid={},start={},processes={},boot={},machine={},host={}", process, start,
                     processes, boot, machine, host);
}

std::optional<LockOwner> LockOwner::parse(std::string_view file_name) {
  const auto process = field(file_name, "pid"), start = field(file_name, "start"),
             processes = field(file_name, "processes"), boot = field(file_name, "boot"),
             machine = field(file_name, "machine"), host = field(file_name, "host");
  LockOwner owner;
  if (!process || !start || !processes || !boot || !machine || !host) return std::nullopt;
  const char* end = process->data() + process->size();
  const auto [stop, error] = std::from_chars(process->data(), end, owner.process);
  if (error != std::errc{} || stop != end || owner.process <= 0) return std::nullopt;
  owner.start = *start, owner.processes = *processes, owner.boot = *boot;
  owner.machine = *machine, owner.host = *host;
  return owner;
}

LockOwner::State LockOwner::state(bool unlocked) const {
  const LockOwner here = self();
  const bool boots_known = !boot.empty() && !here.boot.empty();
  const bool same_machine = host == here.host && machine == here.machine;
  if (boots_known && boot != here.boot) return same_machine ? State::gone : State::unknown;
  if (!boots_known && !same_machine) return State::unknown;
  if (processes == here.processes) return is_running(process, start) ? State::running : State::gone;
  return unlocked ? State::gone : State::unknown;
}

}  // namespace ito::cli
