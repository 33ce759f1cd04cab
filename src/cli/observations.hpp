#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>
#include <ito/dataset.hpp>

#include "io/dataset_file.hpp"

namespace ito::cli {

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
