#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <ito/dataset.hpp>

#include "io/dataset_file.hpp"

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

/// What the option for a file of observations says it takes.
inline constexpr const char* observation_files =
    ".csv, .npy or .npz (FILE.npz:NAME for one of several arrays)";

/// --header.
CLI::Option* add_header(CLI::App& command, Header& header);

/// Reads a file of observations; refusals name --header where it is the way on.
DatasetFile read_observations(const std::string& file, std::size_t times, Header header);

/// "3 observations; line 1 is a header: a,b"
std::string reading_of(const DatasetFile& file);

}  // namespace ito::cli
