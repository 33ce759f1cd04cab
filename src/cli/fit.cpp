#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <ito/error.hpp>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_run.hpp"
#include "cli/options.hpp"
#include "cli/series_options.hpp"

namespace ito::cli {
namespace {

void add_data_options(CLI::App& command, FitArguments& arguments) {
  add_input(command, "MODEL.json", arguments.model, "Description of a latent model")->required();
  add_input(command, "DATA", arguments.data, fmt::format("Observations, {}", observation_files))
      ->required();
  add_header(command, arguments.header);
  add_folder(command, "--out", arguments.out, "Folder to write")->required();
  auto* rows = add_whole_number(command, "--held-out", arguments.held_out_rows,
                                "Keep the last N observations, or series, out of training");
  auto* file = add_input(command, "--held-out-data,--validation", arguments.held_out_data,
                         "Held-out observations, a file of the same kinds");
  rows->excludes(file);
  auto* resume = command.add_flag("--resume", arguments.resume,
                                  "Go on with the fit in --out from its last checkpoint, with the "
                                  "same bits as without the break");
  auto* longer = command.add_flag("--train-longer", arguments.options.train_longer,
                                  "With --resume: more --epochs than the run was planned for; a "
                                  "cosine schedule is planned anew over the rest, from a new "
                                  "warm-up");
  longer->needs(resume);
  auto* overwrite = command.add_flag("--overwrite", arguments.overwrite,
                                     "Replace the fit in --out once the new one is finished");
  resume->excludes(overwrite);
  auto* start = add_input(command, "--start", arguments.start,
                          "Begin with these parameters: a folder that `ito fit` wrote, or "
                          "a safetensors file");
  start->excludes(resume);
  command.add_flag("--compare", arguments.compare,
                   "Compare with three baselines on the held-out data (fits a second model)");
  add_count(command, "--evaluation-samples", arguments.evaluation_samples,
            "Paths per observation of the final evaluation");
  SeriesOptions& series = arguments.series;
  add_series_options(command, series);
  series.options.push_back(
      command
          .add_flag(
              "--standardize", arguments.standardize,
              "Columns of mean 0 and variance 1 over the training series; kept with the model")
          ->group("Series"));
  series.options.push_back(add_number(command, "--forecast-after", arguments.forecast_after,
                                      "Score forecasts of what comes after this time in the series "
                                      "evaluated, from what comes before")
                               ->group("Series"));
  command.add_flag("--json", arguments.json, "Print the summary as one JSON object");
  command.add_flag("--quiet", arguments.quiet, "No progress on standard error");
}

void add_training_options(CLI::App& command, FitArguments& arguments) {
  FitOptions& options = arguments.options;
  const auto number = [&](const char* name, double& value, const char* description) {
    add_number(command, name, value, description)->group("Training");
  };
  const auto count = [&](const char* name, std::size_t& value, const char* description) {
    add_count(command, name, value, description)->group("Training");
  };
  count("--epochs", options.epochs, "Passes over the data");
  count("--batch", options.batch, "Observations per step");
  count("--samples", options.samples, "Paths per observation");
  number("--learning-rate", options.learning_rate, "Of Adam");
  number("--decay", options.decay,
         "Of the exponential schedule: the learning rate's factor from an epoch to the next");
  number("--warmup-epochs", options.warmup_epochs, "Linear ramp of the learning rate");
  number("--clip-norm", options.clip_norm, "Scale down gradients with a larger norm; 0: never");
  number("--energy-weight", options.energy_weight,
         "Of the path energy in what is minimised (the beta of a beta-VAE)");
  number("--annealing-epochs", options.annealing_epochs,
         "The energy's weight rises from 0 over these epochs");
  count("--annealing-cycles", options.annealing_cycles,
        "How often it rises; it stays for as many epochs after each rise");
  number("--averaging", options.averaging,
         "Decay of the average of parameters, whose window is at most a twentieth of the steps so "
         "far; "
         "0: none");
  add_value(command, "--fixed", options.fixed,
            "Tensors or parts that keep their starting values, with commas between: "
            "drift,decoder.0.weight",
            read_names)
      ->type_name("NAMES")
      ->group("Training");
  count("--held-out-samples", options.held_out_samples,
        "Paths per held-out observation, once an epoch");
  add_whole_number(command, "--patience", options.patience,
                   "Stop after N epochs without a better bound on the held-out data, and keep the "
                   "best epoch's parameters; 0: train to the end")
      ->group("Training");
  count("--checkpoint-every", options.checkpoint_every, "Epochs");
  number("--non-finite-limit", options.non_finite_limit,
         "Stop when a larger fraction of a step's paths is not finite");
  add_whole_number(command, "--seed", options.seed, "Of initial parameters, shuffling and paths")
      ->group("Training");
  add_threads(command, options.execution.threads)->group("Training");
  add_device(command, options.execution.device)->group("Training");
  add_name(
      command, "--objective", options.objective,
      "free-energy, sticking-the-landing, importance-weighted or partially-importance-weighted, "
      "which moves the model by the third and the control by the second",
      parse_objective)
      ->group("Training");
  add_name(command, "--schedule", options.schedule,
           "Of the learning rate: constant, cosine or exponential", parse_schedule)
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
  set_action(*command, action, arguments, run_fit);
}

}  // namespace ito::cli
