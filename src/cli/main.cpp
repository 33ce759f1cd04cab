// The ito program: reads the command line, runs one command, and turns every failure into one line
// on standard error and an exit status (0 success, 1 failure, 2 a command line that makes no
// sense, 128 + N stopped by signal N).
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include <ito/version.hpp>

#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/output.hpp"

namespace {

using namespace ito::cli;

/// What is wrong with a command line, and where to read on.
std::string explained(const CLI::App& program, const CLI::ParseError& error) {
  const auto chosen = program.get_subcommands();
  if (!chosen.empty())
    return std::string(error.what()) + "; see `ito " + chosen.front()->get_name() + " --help`";
  const std::vector<std::string> rest = program.remaining();
  const std::string what = rest.empty() ? "no command given" : "no command '" + rest.front() + "'";
  return what + "; see `ito --help`";
}

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

/// `ito help COMMAND` is `ito COMMAND --help`.
void add_help(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand("help", "What the program or one of its commands takes");
  auto name = std::make_shared<std::string>();
  command->add_option("COMMAND", *name, "A command; none: the program");
  command->callback(
      [&program, name, &action] { action = [&program, name] { return help(program, *name); }; });
}

int run(int count, char** arguments) {
  CLI::App program{
      "Neural stochastic differential equations: simulate paths, differentiate losses along them,\n"
      "fit latent models to data by variational inference.",
      "ito"};
  program.set_version_flag("--version", std::string("ito ") + ito::version());
  program.require_subcommand(1);
  // A script's settings come first; what its user adds to them wins.
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  program.footer(
      "Exit status: 0 success, 1 failure, 2 wrong usage, 128 + N stopped by signal N. An error is\n"
      "one line on standard error.");

  Action action;
  add_info(program, action);
  add_init(program, action);
  add_simulate(program, action);
  add_gradient(program, action);
  add_fit(program, action, {arguments, arguments + count});
  add_evaluate(program, action);
  add_forecast(program, action);
  add_impute(program, action);
  add_sample(program, action);
  add_solvers(program, action);
  add_studies(program, action);
  add_help(program, action);

  int status = 0;
  try {
    program.parse(count, arguments);
    status = action();
  } catch (const CLI::Success& request) {  // --help and --version
    std::ostringstream text;
    program.exit(request, text, text);
    print(text.str());
  } catch (const CLI::ParseError& error) {
    throw UsageError(explained(program, error));
  }
  finish_output();
  return status;
}

}  // namespace

int main(int count, char** arguments) {
  // A write past a limit or to a closed pipe must come back as an error that can be told.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  watch_interrupts();
  try {
    return run(count, arguments);
  } catch (const UsageError& error) {
    print_message(error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    print_message("out of memory; ask for fewer paths, samples or saved steps at a time");
  } catch (const std::exception& error) {
    print_message(error.what());
  } catch (...) {
    print_message("an error of unknown kind; please report the command line");
  }
  return 1;
}
