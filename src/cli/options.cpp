#include "cli/options.hpp"

#include <array>
#include <cstddef>
#include <string>

#include "model/check.hpp"

namespace ito::cli {

CLI::Option* add_number(CLI::App& command, const std::string& option, double& value,
                        const std::string& description) {
  constexpr double most = std::numeric_limits<double>::max();
  return add_value(command, option, value, description,
                   [](const std::string& text) {
                     return read_number(text, -most, most, "a finite number");
                   })
      ->type_name("X")
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_count(CLI::App& command, const std::string& option, std::size_t& value,
                       const std::string& description) {
  return add_whole_number(command, option, value, description, std::size_t{1}, count_limit);
}

CLI::Option* add_paths(CLI::App& command, const std::string& option, std::uint64_t& value,
                       const std::string& description, std::uint64_t least) {
  return add_whole_number(command, option, value, description, least, path_limit);
}

std::string option_of(const CLI::App& command, std::string_view field) {
  // Fields of options and requests; a model's have such names too, and are no options.
  const std::size_t dot = field.find('.');
  const std::string_view owner = field.substr(0, dot == std::string_view::npos ? 0 : dot);
  const std::string_view name = field.substr(owner.empty() ? 0 : dot + 1);
  constexpr std::array owners{"request", "fit", "evaluate", "forecast", "impute", "sample"};
  constexpr std::array own{"threads", "workspace_limit"};
  const bool known = owner.empty() ? std::ranges::find(own, name) != own.end()
                                   : std::ranges::find(owners, owner) != owners.end();
  std::string option = "--" + std::string(name);
  std::ranges::replace(option, '_', '-');
  return known && command.get_option_no_throw(option) != nullptr ? option : "";
}

CLI::Option* add_device(CLI::App& command, Device& device) {
  return add_value(command, "--device", device,
                   "Engine: cpu and cuda (cuda:1 is the second GPU) compute in float32, reference "
                   "in float64",
                   Device::parse)
      ->default_str("auto");
}

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return add_whole_number(command, "--threads", threads, "Threads; 0: all", 0, 1024);
}

}  // namespace ito::cli
