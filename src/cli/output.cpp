#include "cli/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <ito/error.hpp>

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

// Creating a file is the one check that also sees read-only mounts and full quotas of files, and
// that is honest for root, to whom access() allows everything.
void probe(const fs::path& folder, std::string_view option) {
  std::string name = (folder / ".ito-probe-XXXXXX").string();
  const int descriptor = ::mkstemp(name.data());
  if (descriptor < 0) {
    throw Error(std::string(option), fmt::format("'{}'", folder.string()),
                fmt::format("a folder that files can be written to ({})", std::strerror(errno)));
  }
  ::close(descriptor);
  ::unlink(name.c_str());
}

[[noreturn]] void throw_output_error() {
  throw Error(fmt::format("standard output: cannot write ({}); send it somewhere that has room",
                          std::strerror(errno == 0 ? EIO : errno)));
}

}  // namespace

void require_writable(const fs::path& file, std::string_view option) {
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  if (file.empty() || file.filename().empty() ||
      (fs::exists(status) && !fs::is_regular_file(status))) {
    throw Error(std::string(option), fmt::format("'{}'", file.string()),
                "the name of a new file or of a regular file to replace");
  }
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored)) {
    throw Error(std::string(option), fmt::format("'{}'", file.string()),
                fmt::format("a file in a folder that exists; '{}' does not", folder.string()));
  }
  probe(folder, option);
}

void require_writable_folder(const fs::path& folder, std::string_view option) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder)) {
    throw Error(std::string(option), fmt::format("'{}'", folder.string()),
                fmt::format("a folder that exists or can be created ({})",
                            error ? error.message() : "a file stands in its place"));
  }
  probe(folder, option);
}

void print(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw_output_error();
}

void finish_output() {
  errno = 0;
  std::cout.flush();  // help and version texts come from CLI11 through iostreams
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) throw_output_error();
}

void print_message(std::string_view message) {
  std::string line = "ito: ";
  for (const char c : message) line += (c == '\n' || c == '\r') ? ' ' : c;
  while (line.ends_with(' ')) line.pop_back();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace ito::cli
