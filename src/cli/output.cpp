#include "cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "io/file.hpp"
#include "model/printable.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_output_error() {
  throw Error(fmt::format("standard output: cannot write ({}); send it somewhere that has room",
                          std::strerror(errno == 0 ? EIO : errno)));
}

}  // namespace

void require_writable(const fs::path& file, std::string_view option) {
  // Creating a file is the one check that also sees read-only mounts and full quotas of files, and
  // that is honest for root, to whom access() allows everything. It goes away without a commit.
  try {
    const AtomicFile probe(file);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", option, error.what()));
  }
}

void print(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw_output_error();
}

std::string json_text(const nlohmann::ordered_json& object, int indent) {
  return object.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void finish_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw_output_error();
}

void print_message(std::string_view message) {
  std::string line = "ito: " + printable(message);
  while (line.ends_with(' ')) line.pop_back();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace ito::cli
