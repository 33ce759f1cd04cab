#include "cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "cli/interrupt.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

[[noreturn]] void throw_output_error() {
  throw Error(fmt::format("standard output: cannot write ({}); send it somewhere that has room",
                          std::strerror(errno == 0 ? EIO : errno)));
}

}  // namespace

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
  const auto held = hold_interrupts();  // no second line where a signal ends the program
  std::string line = "ito: " + printable(message);
  while (line.ends_with(' ')) line.pop_back();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Error renamed(const Error& error, const std::filesystem::path& path, const std::string& name) {
  std::string what = error.what();
  const auto begin = what.find(path.string());
  if (begin != std::string::npos) what.replace(begin, path.string().size(), name);
  return Error(what);
}

}  // namespace ito::cli
