#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace ito::cli {

/// What the chosen command does once the whole command line is accepted; gives the exit status.
using Action = std::function<int()>;

// Each adds one command to the program; parsing it sets `action`.
void add_info(CLI::App& program, Action& action);
void add_init(CLI::App& program, Action& action);
void add_simulate(CLI::App& program, Action& action);
void add_gradient(CLI::App& program, Action& action);
/// `command_line` is repeated in the line that says how to go on after an interruption.
void add_fit(CLI::App& program, Action& action, std::vector<std::string> command_line);
void add_evaluate(CLI::App& program, Action& action);
void add_forecast(CLI::App& program, Action& action);
void add_impute(CLI::App& program, Action& action);
void add_sample(CLI::App& program, Action& action);
void add_solvers(CLI::App& program, Action& action);
/// One for each of study::studies().
void add_studies(CLI::App& program, Action& action);

}  // namespace ito::cli
