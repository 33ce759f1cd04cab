#include "cli/observations.hpp"

#include <fmt/format.h>

#include "cli/options.hpp"

namespace ito::cli {

CLI::Option* add_header(CLI::App& command, Header& header) {
  return add_name(command, "--header", header,
                  "Whether line 1 of a .csv names its columns: yes, no or auto, which says what it "
                  "took and refuses a line that may be either",
                  parse_header);
}

DatasetFile read_observations(const std::string& file, std::size_t times, Header header) {
  return read_dataset_file(file, times, header, {.yes = "--header yes", .no = "--header no"});
}

std::string reading_of(const DatasetFile& file) {
  return fmt::format("{} observations{}{}", file.data.count, file.reading.empty() ? "" : "; ",
                     file.reading);
}

}  // namespace ito::cli
