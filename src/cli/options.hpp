#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <ito/device.hpp>
#include <ito/error.hpp>

namespace ito::cli {

/// An option whose text `read` turns into `value`, or refuses with an ito::Error: the option then
/// stands in place of the field it names.
template <class Value, class Read>
CLI::Option* add_value(CLI::App& command, const std::string& option, Value& value,
                       const std::string& description, Read read) {
  return command.add_option_function<std::string>(
      option,
      [option, &value, read](const std::string& text) {
        try {
          value = read(text);
        } catch (const Error& error) {
          const std::string what = error.what();
          throw CLI::ValidationError(option, what.substr(what.find(": ") + 2));
        }
      },
      description);
}

/// All of `text` as a number from `least` to `most`, in decimal digits. Throws ito::Error with
/// `accepted`.
template <class Number>
Number read_number(const std::string& text, Number least, Number most,
                   const std::string& accepted) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || !(number >= least && number <= most))
    throw Error("number", "'" + text + "'", accepted);
  return number;
}

/// A count, a seed or the like. By itself CLI11 reads -5 as a huge number and 010 as eight.
template <std::integral Number>
CLI::Option* add_whole_number(CLI::App& command, const std::string& option, Number& value,
                              const std::string& description, Number least = 0,
                              Number most = std::numeric_limits<Number>::max()) {
  const std::string accepted = fmt::format("a whole number from {} to {}", least, most);
  return add_value(
             command, option, value, description,
             [=](const std::string& text) { return read_number(text, least, most, accepted); })
      ->type_name("N")
      ->default_str(fmt::format("{}", value));
}

/// One that need not be there.
template <std::integral Number>
CLI::Option* add_whole_number(CLI::App& command, const std::string& option,
                              std::optional<Number>& value, const std::string& description) {
  constexpr Number most = std::numeric_limits<Number>::max();
  const std::string accepted = fmt::format("a whole number from 0 to {}", most);
  return add_value(
             command, option, value, description,
             [=](const std::string& text) { return read_number(text, Number{0}, most, accepted); })
      ->type_name("N");
}

/// Any finite number; what it means bounds it further.
CLI::Option* add_number(CLI::App& command, const std::string& option, double& value,
                        const std::string& description);

/// Of epochs, rows, samples and the like: 1 to count_limit.
CLI::Option* add_count(CLI::App& command, const std::string& option, std::size_t& value,
                       const std::string& description);

/// A value of an enumeration whose `name` `parse` reads.
template <class Enum>
CLI::Option* add_name(CLI::App& command, const std::string& option, Enum& value,
                      const std::string& description, Enum (*parse)(std::string_view)) {
  return add_value(command, option, value, description, parse)
      ->default_str(std::string(name(value)));
}

/// A number of paths or of draws, or the index of the first: up to path_limit.
CLI::Option* add_paths(CLI::App& command, const std::string& option, std::uint64_t& value,
                       const std::string& description, std::uint64_t least);

/// The command's option that sets a field of the library's: --first-path for `request.first_path`.
/// Empty where it has none of that name.
std::string option_of(const CLI::App& command, std::string_view field);

/// What `call` returns. A field that it refuses is told by the name of the command's option.
template <class Call>
decltype(auto) in_options(const CLI::App& command, Call&& call) {
  try {
    return call();
  } catch (const Error& error) {
    const std::string_view what = error.what();
    const std::size_t end = std::min(what.find(": "), what.size());
    const std::string option = option_of(command, what.substr(0, end));
    if (option.empty()) throw;
    throw Error(option + std::string(what.substr(end)));
  }
}

/// What the command does: `run` with the arguments read, its refusals in the options' names.
template <class Arguments>
void set_action(CLI::App& command, std::function<int()>& action,
                std::shared_ptr<Arguments> arguments, int (*run)(const Arguments&)) {
  command.callback([&command, &action, arguments, run] {
    action = [&command, arguments, run] {
      return in_options(command, [&] { return run(*arguments); });
    };
  });
}

CLI::Option* add_device(CLI::App& command, Device& device);
CLI::Option* add_threads(CLI::App& command, int& threads);

}  // namespace ito::cli
