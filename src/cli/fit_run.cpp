#include "cli/fit_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ito/baselines.hpp>
#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "cli/description.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_folder.hpp"
#include "cli/fit_input.hpp"
#include "cli/fit_report.hpp"
#include "cli/interrupt.hpp"
#include "cli/output.hpp"
#include "inference/checks.hpp"
#include "io/file.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

/// Thrown between the stages of a fit once a signal has come in.
struct Interrupted {
  std::string place;  ///< "in epoch 3 of 10"
};

/// What `fit` says of its options, "fit.learning_rate", in the names they have here.
std::string in_option_names(std::string text) {
  constexpr std::array fields{"epochs",
                              "batch",
                              "samples",
                              "learning_rate",
                              "decay",
                              "warmup_epochs",
                              "clip_norm",
                              "energy_weight",
                              "annealing_epochs",
                              "averaging",
                              "annealing_cycles",
                              "non_finite_limit",
                              "fixed",
                              "objective",
                              "train_longer",
                              "held_out_samples",
                              "patience",
                              "checkpoint_every"};
  if (text.starts_with("threads: ")) return "--" + text;
  for (const std::string field : fields) {
    std::string option = "--" + field;
    std::ranges::replace(option, '_', '-');
    const std::string name = "fit." + field;
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
      const bool whole = at == 0 || text[at - 1] == ' ';
      if (whole) text.replace(at, name.size(), option);
    }
  }
  return text;
}

FitFolder::Start start_of(const FitArguments& arguments) {
  return arguments.resume      ? FitFolder::Start::resume
         : arguments.overwrite ? FitFolder::Start::overwrite
                               : FitFolder::Start::fresh;
}

/// One call of `ito fit`, stage by stage.
class FitRun {
 public:
  /// Reads the inputs, and does at once what is short and may be refused.
  explicit FitRun(const FitArguments& arguments);

  /// Where it fails before there is something to go on from it leaves nothing.
  void run();
  std::string result() const { return result_; }

 private:
  void write_results();
  /// `history`: where to write what there is of it when interrupted; empty: nowhere.
  FitResult train(const LatentModel& latent, FitOptions options,
                  const std::filesystem::path& history);
  Evaluation evaluate_on(const Dataset& data, const LatentModel& latent,
                         const Parameters& parameters);
  /// Of other parameters than the chosen ones; nothing where they have too few finite paths.
  std::optional<Evaluation> evaluate_others(const Dataset& data, const Parameters& parameters);
  /// Nothing, with a word, where they are refused: the fit is worth keeping.
  std::optional<ScoredPredictions> forecasts(const Parameters& parameters) const;
  void add_baselines();
  void compare(const Evaluation& evaluation);
  void write_model() const;
  void say(const std::string& text) const;
  static void stop_if_interrupted(const char* place) {
    if (interrupted_by() != 0) throw Interrupted{place};
  }

  const FitArguments& arguments_;
  FitFolder folder_;  // first: nothing is looked at while another process may change it
  FitInput input_;
  SeriesSplit cut_;   ///< of the series shown, for --forecast-after
  Parameters start_;  ///< empty: fresh ones
  std::vector<Comparison> comparison_;
  std::string result_;
};

FitRun::FitRun(const FitArguments& arguments)
    : arguments_(arguments),
      folder_(arguments.out, start_of(arguments)),
      input_(read_fit_input(arguments)),
      start_(arguments.start.empty() ? Parameters() : read_start(arguments.start, input_.latent)) {
  const FitOptions& options = arguments.options;
  const std::size_t rows = input_.training.count, held_out = input_.held_out.count;
  check_samples("fit.samples", options.samples, std::min(options.batch, rows), input_.latent,
                options.execution.device, true);
  check_samples("fit.held_out_samples", options.held_out_samples, held_out, input_.latent,
                options.execution.device, false);
  check_samples("fit.evaluation_samples", arguments.evaluation_samples,
                held_out > 0 ? held_out : rows, input_.latent, options.execution.device, false);
  check_objective(options, input_.latent);
  const Plan serves(input_.latent.model, arguments.options.execution);
  if (arguments.compare) add_baselines();
  if (arguments.compare) linear_gaussian(input_.latent);  // refused where there is none
  if (!arguments.forecast_after) return;
  cut_ = split_for(input_.series->shown(), *arguments.forecast_after);
  if (arguments.evaluation_samples < 2)
    throw Error("--evaluation-samples", "1", "2 or more, to score forecasts");
}

void FitRun::say(const std::string& text) const {
  if (!arguments_.quiet) std::fputs((printable(text) + "\n").c_str(), stderr);
}

/// Going on with another model would leave its description beside the earlier one's parameters.
void FitRun::write_model() const {
  const std::string json = input_.json();
  if (arguments_.resume && std::filesystem::exists(folder_.model())) {
    if (read_file(folder_.model()) == json) return;
    throw Error(fmt::format("{}: is not the model in {}; resume with the model the fit began with",
                            arguments_.model, folder_.model().string()));
  }
  write_file(folder_.model(), json);
}

FitResult FitRun::train(const LatentModel& latent, FitOptions options,
                        const std::filesystem::path& history) {
  options.resume = arguments_.resume && std::filesystem::exists(options.checkpoint);
  options.train_longer = options.train_longer && options.resume;
  const ProgressCallback progress = arguments_.quiet ? ProgressCallback{} : console_progress();
  FitResult result;
  try {
    result = fit(latent, options, input_.training, input_.held_out, progress,
                 [] { return interrupted_by() != 0; });
  } catch (const Error& error) {
    throw Error(in_option_names(error.what()));
  }
  if (result.interrupted) {
    if (!arguments_.quiet && ::isatty(STDERR_FILENO) != 0)
      std::fputc('\n', stderr);  // ends the progress line
    if (!history.empty()) write_file(history, history_csv(result));
    throw Interrupted{fmt::format("in epoch {} of {}", result.history.size() + 1, options.epochs)};
  }
  return result;
}

Evaluation FitRun::evaluate_on(const Dataset& data, const LatentModel& latent,
                               const Parameters& parameters) {
  return evaluate(latent, parameters,
                  {.samples = arguments_.evaluation_samples,
                   .seed = arguments_.options.seed,
                   .execution = arguments_.options.execution,
                   .non_finite_limit = arguments_.options.non_finite_limit},
                  data);
}

std::optional<Evaluation> FitRun::evaluate_others(const Dataset& data,
                                                  const Parameters& parameters) {
  try {
    return evaluate_on(data, input_.latent, parameters);
  } catch (const Error&) {
    return {};
  }
}

std::optional<ScoredPredictions> FitRun::forecasts(const Parameters& parameters) const {
  const SeriesFit& series = *input_.series;
  try {
    return scored_forecasts(series.model, parameters, series.training, cut_,
                            *arguments_.forecast_after,
                            {.samples = arguments_.evaluation_samples,
                             .seed = arguments_.options.seed,
                             .execution = arguments_.options.execution});
  } catch (const Error& error) {
    print_message(fmt::format("warning: no forecasts are scored: {}", error.what()));
    return {};
  }
}

Comparison compared(const BaselineScore& score) {
  return {score.name,
          score.log_probability,
          score.log_probability_error,
          score.log_probability,
          score.log_probability_error,
          score.log_marginal};
}

Comparison compared(const std::string& name, const Evaluation& result) {
  return {name,        result.elbo,       result.elbo_error,
          result.iwae, result.iwae_error, result.log_marginal};
}

void FitRun::add_baselines() {
  if (input_.series) return;  // they have no numbers for what is missing, nor for other times
  comparison_.push_back(
      compared(independent_columns(input_.latent.likelihood, input_.training, input_.held_out)));
  comparison_.push_back(compared(full_gaussian(input_.latent.likelihood, input_.training,
                                               input_.held_out, arguments_.options.seed)));
}

void FitRun::compare(const Evaluation& evaluation) {
  say("fitting the same model with its nonlinear dynamics switched off");
  const LatentModel linear = linear_gaussian(input_.latent);
  FitOptions options = arguments_.options;  // of fresh parameters, all of them free
  options.fixed = {};
  options.checkpoint = folder_.baseline_checkpoint();
  const FitResult fitted = train(linear, options, {});
  comparison_.push_back(compared("the same without neural dynamics",
                                 evaluate_on(input_.held_out, linear, fitted.parameters)));
  comparison_.push_back(compared("neural SDE", evaluation));
}

void FitRun::run() {
  folder_.open();
  try {
    write_model();
    for (const std::string& reading : input_.readings) say(reading);
    write_results();
  } catch (const Error& error) {
    throw folder_.named(error);
  }
}

void FitRun::write_results() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  if (arguments_.resume && !std::filesystem::exists(folder_.checkpoint()))
    say(fmt::format("no checkpoint in {}: starting anew", arguments_.out));
  FitOptions options = arguments_.options;
  options.checkpoint = folder_.checkpoint();
  options.start = start_;
  const FitResult fitted = train(input_.latent, options, folder_.history());
  save_safetensors(fitted.parameters, folder_.parameters());
  save_safetensors(fitted.average, folder_.fitted(Fitted::average));
  save_safetensors(fitted.last, folder_.fitted(Fitted::last));
  if (fitted.best_epoch > 0) save_safetensors(fitted.best, folder_.fitted(Fitted::best));
  write_file(folder_.history(), history_csv(fitted));
  stop_if_interrupted("before the evaluation");

  FitReport report{.latent = input_.latent,
                   .parameters = fitted.parameters,
                   .history = fitted.history,
                   .training = input_.training,
                   .held_out = input_.held_out,
                   .evaluation = {},
                   .comparison = {},
                   .settings = {},
                   .readings = input_.readings,
                   .execution = arguments_.options.execution,
                   .chosen = fitted.chosen,
                   .others = {},
                   .best_epoch = fitted.best_epoch,
                   .stopped_early = fitted.stopped_early,
                   .series = input_.series ? &*input_.series : nullptr};
  report.evaluation = evaluate_on(report.shown(), input_.latent, fitted.parameters);
  const Parameters& others = report.other() == Fitted::last ? fitted.last : fitted.average;
  if (!std::ranges::equal(others.values(), fitted.parameters.values())) {
    stop_if_interrupted("before the evaluation");
    report.others = evaluate_others(report.shown(), others);
  }
  if (arguments_.forecast_after) {
    stop_if_interrupted("before the forecasts");
    report.forecasts = forecasts(fitted.parameters);
  }
  stop_if_interrupted("before the comparison");
  if (arguments_.compare) compare(*report.evaluation);
  report.comparison = comparison_;
  const std::chrono::duration<double> seconds = Clock::now() - began;
  report.settings =
      describe_settings(arguments_, input_.training, input_.held_out, fitted, seconds.count());
  report.settings.emplace_back("data read", fmt::format("{}", fmt::join(input_.readings, "; ")));
  stop_if_interrupted("before the report");

  const auto summary = summary_json(report);
  write_file(folder_.report(), render_report(report));
  write_file(folder_.summary(), json_text(summary, 2));
  stop_if_interrupted("before the results were in place");
  folder_.publish();
  result_ = arguments_.json ? json_text(summary) : summary_text(report);
}

/// One argument as a shell reads it back.
std::string quoted(const std::string& argument) {
  const std::string plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) return argument;
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string resuming_command(const FitArguments& arguments) {
  std::string text;
  const std::vector<std::string>& line = arguments.command_line;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == "--start")
      ++i;  // and its value: the checkpoint has gone on from there
    else if (line[i] != "--overwrite" && line[i] != "--resume" && !line[i].starts_with("--start="))
      text += quoted(line[i]) + " ";
  }
  return text + "--resume";
}

/// Refuses what `fit` would refuse of its options, by the options' names here. Whether there is
/// something to resume is seen later.
void check_training_options(FitOptions options) {
  options.train_longer = false;
  try {
    check_options(options);
  } catch (const Error& error) {
    throw UsageError(in_option_names(error.what()));
  }
}

void check_usage(const FitArguments& arguments) {
  check_training_options(arguments.options);
  if (arguments.held_out_rows > 0 || !arguments.held_out_data.empty()) return;
  const auto refuse = [](const char* option, const char* purpose) {
    throw UsageError(option, "no held-out data",
                     fmt::format("--held-out N or --held-out-data FILE to {}", purpose));
  };
  if (arguments.compare) refuse("--compare", "compare on");
  if (arguments.options.patience > 0) refuse("--patience", "stop by");
}

}  // namespace

int run_fit(const FitArguments& arguments) {
  check_usage(arguments);
  FitRun fit_run(arguments);
  remember_interrupts();
  try {
    fit_run.run();
  } catch (const Interrupted& interrupted) {
    print_message(
        fmt::format("stopped {}; go on with: {}", interrupted.place, resuming_command(arguments)));
    return 128 + interrupted_by();
  }
  print(fit_run.result());
  if (!arguments.json) print(fmt::format("\nresults and report.html are in {}\n", arguments.out));
  return 0;
}

}  // namespace ito::cli
