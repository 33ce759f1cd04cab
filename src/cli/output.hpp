#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <ito/error.hpp>
#include <nlohmann/json_fwd.hpp>

namespace ito::cli {

/// Text to standard output.
void print(std::string_view text);

/// A JSON object and a line end, with U+FFFD for bytes that are not UTF-8: a file's name may have
/// some. `indent` −1: on one line.
std::string json_text(const nlohmann::ordered_json& object, int indent = -1);

/// Flushes standard output. Throws ito::Error where something printed did not arrive.
void finish_output();

/// "ito: " and the message as one line on standard error, whatever it contains (see `printable`).
void print_message(std::string_view message);

/// The same error with `name` in place of a file's path.
Error renamed(const Error& error, const std::filesystem::path& path, const std::string& name);

/// A command line that asks for something impossible; the program ends with status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace ito::cli
