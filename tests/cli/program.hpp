#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// How the ito program ended and what it said.
struct Outcome {
  int status = -1;  ///< exit status, or −1 when a signal ended it
  int signal = 0;   ///< the signal that ended it, or 0
  std::string out, err;
};

/// What surrounds the program while it runs.
struct Surroundings {
  std::optional<std::size_t> file_size_limit{};  ///< RLIMIT_FSIZE, a stand-in for a full disk
  std::string standard_output{};                 ///< a file in place of the captured output
  std::vector<std::string> variables{};          ///< of the environment besides, "NAME=VALUE"
  std::string standard_input = "/dev/null";
  bool file_locks = true;  ///< false: as on a file system without them, flock says ENOLCK
  bool gnuplot = false;    ///< can be found; drawing is most of the time of a small fit
};

/// The ito program as a child process, its output captured in files of a folder of its own.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const Surroundings& around = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const;
  pid_t process() const { return child_; }
  bool running();
  std::string err() const;
  Outcome wait();

 private:
  std::filesystem::path folder_;
  pid_t child_ = -1;
  std::optional<int> ended_;
};

/// Runs the program to its end.
Outcome run(const std::vector<std::string>& arguments, const Surroundings& around = {});

/// A new empty folder under the system's temporary one.
std::filesystem::path new_folder();
std::string read(const std::filesystem::path& file);
void write(const std::filesystem::path& file, const std::string& text);
