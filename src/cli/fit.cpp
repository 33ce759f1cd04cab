#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <type_traits>

#include "cli/commands.hpp"
#include "cli/fit_run.hpp"
#include "cli/options.hpp"

namespace ito::cli {
namespace {

const std::map<std::string, Objective> objectives{
    {"free-energy", Objective::free_energy},
    {"sticking-the-landing", Objective::sticking_the_landing},
    {"importance-weighted", Objective::importance_weighted}};
const std::map<std::string, Schedule> schedules{{"constant", Schedule::constant},
                                                {"cosine", Schedule::cosine}};

void add_data_options(CLI::App& command, FitArguments& arguments) {
  command.add_option("MODEL.json", arguments.model, "Description of a latent model")->required();
  command.add_option("DATA", arguments.data, "Observations, .csv or .npy")->required();
  command.add_option("--out", arguments.out, "Folder to write")->required();
  auto* rows = add_whole_number(command, "--held-out", arguments.held_out_rows,
                                "Keep the last N observations out of training");
  auto* file = command.add_option("--held-out-data", arguments.held_out_data,
                                  "Held-out observations, .csv or .npy");
  rows->excludes(file);
  auto* resume = command.add_flag("--resume", arguments.resume,
                                  "Go on with the fit in --out from its last checkpoint, with the "
                                  "same bits as without the break");
  auto* overwrite = command.add_flag("--overwrite", arguments.overwrite,
                                     "Replace the fit in --out once the new one is finished");
  resume->excludes(overwrite);
  command.add_flag("--compare", arguments.compare,
                   "Compare with three baselines on the held-out data (fits a second model)");
  add_whole_number(command, "--evaluation-samples", arguments.evaluation_samples,
                   "Paths per observation of the final evaluation, a multiple of 16");
  command.add_flag("--json", arguments.json, "Print the summary as one JSON object");
  command.add_flag("--quiet", arguments.quiet, "No progress on standard error");
}

template <class Value>
void add_setting(CLI::App& command, const char* name, Value& value, const char* description) {
  if constexpr (std::is_integral_v<Value>)
    add_whole_number(command, name, value, description)->group("Training");
  else
    command.add_option(name, value, description)->capture_default_str()->group("Training");
}

void add_training_options(CLI::App& command, FitArguments& arguments) {
  FitOptions& options = arguments.options;
  add_setting(command, "--epochs", options.epochs, "Passes over the data");
  add_setting(command, "--batch", options.batch, "Observations per step");
  add_setting(command, "--samples", options.samples, "Paths per observation, a multiple of 16");
  add_setting(command, "--learning-rate", options.learning_rate, "Of Adam");
  add_setting(command, "--warmup-epochs", options.warmup_epochs,
              "Linear ramp of the learning rate");
  add_setting(command, "--clip-norm", options.clip_norm,
              "Scale down gradients with a larger norm; 0: never");
  add_setting(command, "--annealing-epochs", options.annealing_epochs,
              "Weight of the path energy rises from 0 to 1 over these epochs");
  add_setting(command, "--averaging", options.averaging,
              "Decay of the exponential average of parameters; 0: none");
  add_setting(command, "--held-out-samples", options.held_out_samples,
              "Paths per held-out observation, once an epoch");
  add_setting(command, "--checkpoint-every", options.checkpoint_every, "Epochs");
  add_setting(command, "--non-finite-limit", options.non_finite_limit,
              "Stop when a larger fraction of a step's paths is not finite");
  add_setting(command, "--seed", options.seed, "Of initial parameters, shuffling and paths");
  add_threads(command, options.threads)->group("Training");
  add_device(command, options.device)->group("Training");
  command
      .add_option_function<std::string>(
          "--objective",
          [&arguments](const std::string& name) {
            arguments.objective = name;
            arguments.options.objective = objectives.at(name);
          },
          "free-energy, sticking-the-landing or importance-weighted")
      ->check(CLI::IsMember(objectives))
      ->default_str(arguments.objective)
      ->group("Training");
  command
      .add_option_function<std::string>(
          "--schedule",
          [&arguments](const std::string& name) {
            arguments.schedule = name;
            arguments.options.schedule = schedules.at(name);
          },
          "Of the learning rate: constant or cosine")
      ->check(CLI::IsMember(schedules))
      ->default_str(arguments.schedule)
      ->group("Training");
}

}  // namespace

void add_fit(CLI::App& program, Action& action, std::vector<std::string> command_line) {
  auto* command = program.add_subcommand(
      "fit", "Fit a latent model to data; write parameters, history and a report to a folder");
  auto arguments = std::make_shared<FitArguments>();
  arguments->command_line = std::move(command_line);
  add_data_options(*command, *arguments);
  add_training_options(*command, *arguments);
  command->callback([arguments, &action] { action = [arguments] { return run_fit(*arguments); }; });
}

}  // namespace ito::cli
