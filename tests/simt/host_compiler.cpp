#include "simt/host_compiler.hpp"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ito/error.hpp>
#include <set>
#include <sstream>
#include <vector>

extern char** environ;

namespace ito::cuda::simt {
namespace {

namespace fs = std::filesystem;

// Symbols are hidden and never unique to the process, because kernels of two shapes define the same
// names. ITO_SIMT_FLAGS: the build's own, of its sanitizers.
constexpr const char* flags =
    "-std=c++20 -O1 -fPIC -shared -fvisibility=hidden -fno-gnu-unique -I" ITO_SIMT_SOURCE
    " -I" ITO_SIMT_SOURCE "/include -I" ITO_SIMT_SOURCE "/tests " ITO_SIMT_FLAGS;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Everything that a kernel may include.
const std::string& headers() {
  static const std::string text = [] {
    std::set<fs::path> paths{ITO_SIMT_SOURCE "/include/ito/activation.hpp",
                             ITO_SIMT_SOURCE "/kernels/emulated/device.hpp"};
    for (const auto& entry : fs::recursive_directory_iterator(ITO_SIMT_SOURCE "/kernels")) {
      if (entry.is_regular_file()) paths.insert(entry.path());
    }
    std::string all;
    for (const fs::path& path : paths) all += path.string() + '\n' + contents(path) + '\n';
    return all;
  }();
  return text;
}

/// Runs the compiler with both of its streams into `log`; true if it says success.
bool run(std::vector<std::string> words, const fs::path& log) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw Error("compile: cannot run " + words[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string compile_for_host(const KernelSource& source) {
  const fs::path folder = ITO_SIMT_CACHE;
  const std::string all = source.text + '\0' + headers() + ITO_SIMT_COMPILER + __VERSION__ + flags;
  const XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  const std::string key = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  const fs::path library = folder / (key + ".so");
  if (fs::exists(library)) return library;

  // Written aside, so that whoever sees the library sees all of it.
  static std::atomic<int> count = 0;
  fs::create_directories(folder);
  const std::string mine = key + '.' + std::to_string(getpid()) + '.' + std::to_string(count++);
  const fs::path text = folder / (mine + ".cpp"), log = folder / (mine + ".log"),
                 aside = folder / (mine + ".so");
  std::ofstream(text) << source.text << '\n';
  std::vector<std::string> words{ITO_SIMT_COMPILER};
  std::istringstream each(flags);
  for (std::string word; each >> word;) words.push_back(word);
  words.insert(words.end(), {text, "-o", aside});
  const bool compiled = run(words, log);
  const std::string said = contents(log);
  fs::remove(log);
  fs::remove(text);
  if (!compiled) throw Error("kernel " + source.name + " does not compile:\n" + said);
  fs::rename(aside, library);
  return library;
}

}  // namespace ito::cuda::simt
