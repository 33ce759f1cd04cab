#include "cli/program.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace fs = std::filesystem;

namespace {

/// From here on flock fails with ENOLCK in this process and what it becomes.
bool leave_without_file_locks() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_flock, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLCK),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Between fork and exec only calls that are safe there: the test may have threads.
[[noreturn]] void become(char* const* arguments, char* const* environment, const char* in,
                         const char* out, const char* err, const rlimit* limit, bool file_locks) {
  const int input = ::open(in, O_RDONLY);
  const int output = ::open(out, O_WRONLY | O_CREAT, 0600);
  const int error = ::open(err, O_WRONLY | O_CREAT, 0600);
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(error, 2) < 0) ::_exit(126);
  if (limit != nullptr && ::setrlimit(RLIMIT_FSIZE, limit) != 0) ::_exit(126);
  if (!file_locks && !leave_without_file_locks()) ::_exit(126);
  ::execve(ITO_PROGRAM, arguments, environment);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const Surroundings& around)
    : folder_(new_folder()) {
  std::vector<std::string> words{"ito"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = around.variables;  // the first of a name counts
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (around.gnuplot || !std::string(*variable).starts_with("PATH="))
      variables.push_back(*variable);
  if (!around.gnuplot) variables.push_back("PATH=/nowhere");

  const std::vector<char*> word_pointers = pointers(words);
  const std::vector<char*> variable_pointers = pointers(variables);
  const std::string out =
      around.standard_output.empty() ? (folder_ / "out").string() : around.standard_output;
  const std::string err = (folder_ / "err").string();
  rlimit limit{};
  if (around.file_size_limit) limit = {*around.file_size_limit, *around.file_size_limit};
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("cannot fork");
  if (child_ == 0)
    become(word_pointers.data(), variable_pointers.data(), around.standard_input.c_str(),
           out.c_str(), err.c_str(), around.file_size_limit ? &limit : nullptr, around.file_locks);
}

Program::~Program() {
  if (running()) {
    send(SIGKILL);
    wait();
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Program::send(int signal) const { ::kill(child_, signal); }

bool Program::running() {
  int status = 0;
  if (!ended_ && ::waitpid(child_, &status, WNOHANG) == child_) ended_ = status;
  return !ended_;
}

std::string Program::err() const { return read(folder_ / "err"); }

Outcome Program::wait() {
  int status = 0;
  while (!ended_)
    if (::waitpid(child_, &status, 0) == child_ || errno != EINTR) ended_ = status;
  Outcome outcome{.out = read(folder_ / "out"), .err = err()};
  if (WIFEXITED(*ended_)) outcome.status = WEXITSTATUS(*ended_);
  if (WIFSIGNALED(*ended_)) outcome.signal = WTERMSIG(*ended_);
  return outcome;
}

Outcome run(const std::vector<std::string>& arguments, const Surroundings& around) {
  return Program(arguments, around).wait();
}

fs::path new_folder() {
  std::string name = (fs::temp_directory_path() / "ito-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create " + name);
  return name;
}

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
}
