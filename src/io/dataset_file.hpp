#pragma once

#include <filesystem>
#include <string>

#include <ito/dataset.hpp>

#include "io/csv.hpp"

namespace ito {

/// What `read_dataset` reads, and how.
struct DatasetFile {
  Dataset data;
  /// "line 1 is a header: a,b", "line 1 is data", "array y"; empty for a .npy file.
  std::string reading;
};

/// As `read_dataset`; its messages call the ways to say what line 1 is by `words`.
DatasetFile read_dataset_file(const std::filesystem::path& file, std::size_t times, Header header,
                              const HeaderWords& words);

}  // namespace ito
