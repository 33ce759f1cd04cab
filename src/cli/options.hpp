#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>
#include <ito/device.hpp>

namespace ito::cli {

/// For options that take a count or a seed: decimal digits, up to 2⁶⁴ − 1. By itself CLI11 reads -5
/// as a huge number and 010 as eight.
CLI::Validator whole_number();

template <class Number>
CLI::Option* add_whole_number(CLI::App& command, const std::string& name, Number& value,
                              const std::string& description) {
  return command.add_option(name, value, description)
      ->transform(whole_number())
      ->type_name("N")
      ->capture_default_str();
}

/// A name that `parse` reads or refuses with an ito::Error.
CLI::Option* add_name(CLI::App& command, const std::string& option, std::string& value,
                      const std::string& help,
                      const std::function<void(const std::string&)>& parse);

CLI::Option* add_device(CLI::App& command, Device& device);
CLI::Option* add_threads(CLI::App& command, int& threads);

}  // namespace ito::cli
