#include "cli/file_options.hpp"

#include <fmt/format.h>

#include "cli/options.hpp"
#include "io/file.hpp"

namespace ito::cli {
namespace {

/// Also tells inputs from other options.
constexpr const char* input_type = "FILE|-";

}  // namespace

CLI::Option* add_input(CLI::App& command, const std::string& option, std::string& file,
                       const std::string& description) {
  const auto read = [&command, &file, option](const std::string& text) {
    file = text == dash ? standard_input : text;
    if (text != dash) return;
    for (const CLI::Option* other : command.get_options()) {
      if (other->get_type_name() != input_type || other->empty()) continue;
      if (other->get_name() == option || other->results().back() != dash) continue;
      throw CLI::ValidationError(
          option, fmt::format("got '-'; accepted: a file, for {} takes standard input already",
                              other->get_name()));
    }
  };
  return command.add_option_function<std::string>(option, read, description)->type_name(input_type);
}

CLI::Option* add_folder(CLI::App& command, const std::string& option, std::string& folder,
                        const std::string& description) {
  const auto read = [&folder, option](const std::string& text) {
    if (text == dash)
      throw CLI::ValidationError(option, "got '-'; accepted: a folder, which cannot be a stream");
    folder = text;
  };
  return command.add_option_function<std::string>(option, read, description)->type_name("FOLDER");
}

CLI::Option* add_output_file(CLI::App& command, std::string& file, const std::string& description) {
  return command.add_option("--out", file, description + "; - is standard output")
      ->type_name("FILE");
}

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
