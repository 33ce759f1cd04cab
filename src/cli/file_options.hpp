#pragma once

#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace ito::cli {

/// In place of a file: standard input or output.
inline constexpr std::string_view dash = "-";

/// A file to read. "-" is standard input, for one option of a command line.
CLI::Option* add_input(CLI::App& command, const std::string& option, std::string& file,
                       const std::string& description);

/// A folder, which cannot be a stream.
CLI::Option* add_folder(CLI::App& command, const std::string& option, std::string& folder,
                        const std::string& description);

/// --out of a command that writes one file (see OutputFile).
CLI::Option* add_output_file(CLI::App& command, std::string& file, const std::string& description);

}  // namespace ito::cli
