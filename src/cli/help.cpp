#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/usage_error.hpp"

namespace ito::cli {
namespace {

int help(const CLI::App& program, const std::string& command) {
  if (command.empty()) {
    print(program.get_formatter()->make_help(&program, program.get_name(),
                                             CLI::AppFormatMode::Normal));
    return 0;
  }
  const auto chosen =
      program.get_subcommands([&](const CLI::App* one) { return one->get_name() == command; });
  if (chosen.empty()) throw UsageError("no command '" + command + "'; see `ito --help`");
  print(chosen.front()->help(program.get_name()));
  return 0;
}

}  // namespace

void add_help(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand("help", "What the program or one of its commands takes");
  auto name = std::make_shared<std::string>();
  command->add_option("COMMAND", *name, "A command; none: the program");
  command->callback(
      [&program, name, &action] { action = [&program, name] { return help(program, *name); }; });
}

}  // namespace ito::cli
