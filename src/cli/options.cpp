#include "cli/options.hpp"

#include <cstddef>
#include <string>

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

CLI::Option* add_samples(CLI::App& command, const std::string& option, std::size_t& value,
                         const std::string& description) {
  constexpr const char* accepted = "a multiple of 16, from 16 up";
  return add_value(command, option, value, description,
                   [](const std::string& text) {
                     constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
                     const auto number = read_number<std::size_t>(text, 16, most, accepted);
                     if (number % 16 != 0) throw Error("number", "'" + text + "'", accepted);
                     return number;
                   })
      ->type_name("N")
      ->default_str(fmt::format("{}", value));
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
