#include "cli/options.hpp"

#include <charconv>
#include <cstdint>

#include <ito/error.hpp>

namespace ito::cli {

CLI::Validator whole_number() {
  return CLI::Validator(
      [](std::string& text) {
        std::uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc{} || stop != end)
          return "got '" + text + "'; accepted: a whole number from 0 to 18446744073709551615";
        text = std::to_string(value);
        return std::string();
      },
      "");
}

CLI::Option* add_name(CLI::App& command, const std::string& option, std::string& value,
                      const std::string& help,
                      const std::function<void(const std::string&)>& parse) {
  return command.add_option(option, value, help)
      ->check(CLI::Validator(
          [parse](std::string& name) {
            try {
              parse(name);
            } catch (const Error& error) {
              const std::string what = error.what();
              return what.substr(what.find(": ") + 2);
            }
            return std::string();
          },
          ""));
}

CLI::Option* add_device(CLI::App& command, Device& device) {
  return command
      .add_option_function<std::string>(
          "--device", [&device](const std::string& name) { device = Device::parse(name); },
          "Engine: cpu and cuda (cuda:1 is the second GPU) compute in float32, reference in "
          "float64")
      ->check(CLI::Validator(
          [](std::string& name) {
            try {
              Device::parse(name);
            } catch (const Error& error) {
              return std::string(error.what()).substr(std::string("device: ").size());
            }
            return std::string();
          },
          ""))
      ->default_str("auto");
}

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return add_whole_number(command, "--threads", threads, "Threads; 0: all");
}

}  // namespace ito::cli
