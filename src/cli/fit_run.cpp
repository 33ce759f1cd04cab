#include "cli/fit_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>

#include <fmt/format.h>
#include <ito/baselines.hpp>
#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "cli/description.hpp"
#include "cli/fit_folder.hpp"
#include "cli/fit_report.hpp"
#include "cli/fit_summary.hpp"
#include "cli/interrupt.hpp"
#include "cli/output.hpp"
#include "cli/result_folder.hpp"
#include "cli/usage_error.hpp"
#include "inference/fit_options.hpp"
#include "io/file.hpp"

namespace ito::cli {
namespace {

/// Thrown between the stages of a fit once a signal has come in.
struct Interrupted {
  std::string place;  ///< "in epoch 3 of 10"
};

struct Data {
  Dataset training;
  Dataset held_out;
};

Data read_data(const FitArguments& arguments, const LatentModel& latent) {
  const std::size_t times = latent.model.save.size();
  Data data{.training = read_dataset(arguments.data, times), .held_out = {}};
  check_dataset(data.training, latent);
  if (!arguments.held_out_data.empty()) {
    data.held_out = read_dataset(arguments.held_out_data, times);
    check_dataset(data.held_out, latent);
  } else if (arguments.held_out_rows > 0) {
    const std::size_t count = data.training.count;
    if (arguments.held_out_rows >= count) {
      throw Error("--held-out", fmt::format("{}", arguments.held_out_rows),
                  fmt::format("fewer than the {} observations in {}", count, arguments.data));
    }
    data.held_out = data.training.slice(count - arguments.held_out_rows, count);
    data.training = data.training.slice(0, count - arguments.held_out_rows);
  }
  return data;
}

/// One call of `ito fit`, stage by stage.
class FitRun {
 public:
  /// Reads the inputs, and does at once what is short and may be refused.
  explicit FitRun(const FitArguments& arguments);

  /// Takes back what it wrote where it fails before there is something to go on from.
  void run();
  std::string result() const { return result_; }

 private:
  void write_results();
  /// `history`: where to write what there is of it when interrupted; empty: nowhere.
  FitResult train(const LatentModel& latent, const std::filesystem::path& checkpoint,
                  const std::filesystem::path& history);
  Evaluation evaluate_on(const Dataset& data, const LatentModel& latent,
                         const Parameters& parameters);
  void add_baselines();
  void compare(const Evaluation& evaluation);
  void write_model() const;
  void say(const std::string& text) const;
  static void stop_if_interrupted(const char* place) {
    if (interrupted_by() != 0) throw Interrupted{place};
  }

  const FitArguments& arguments_;
  LatentModel latent_;
  Data data_;
  FitFolder folder_;
  std::vector<Comparison> comparison_;
  std::string result_;
};

FitRun::FitRun(const FitArguments& arguments)
    : arguments_(arguments),
      latent_(read_latent_model(arguments.model)),
      data_(read_data(arguments, latent_)),
      folder_(arguments.out) {
  const Plan serves(latent_.model, arguments.options.device,
                    {.threads = arguments.options.threads});
  if (arguments.compare) add_baselines();
}

void FitRun::say(const std::string& text) const {
  if (!arguments_.quiet) std::fputs((text + "\n").c_str(), stderr);
}

/// Going on with another model would leave its description beside the earlier one's parameters.
void FitRun::write_model() const {
  const std::string json = to_json(latent_);
  if (arguments_.resume && std::filesystem::exists(folder_.model())) {
    if (read_file(folder_.model()) == json) return;
    throw Error(fmt::format("{}: is not the model in {}; resume with the model the fit began with",
                            arguments_.model, folder_.model().string()));
  }
  write_file(folder_.model(), json);
}

FitResult FitRun::train(const LatentModel& latent, const std::filesystem::path& checkpoint,
                        const std::filesystem::path& history) {
  FitOptions options = arguments_.options;
  options.checkpoint = checkpoint;
  options.resume = arguments_.resume && std::filesystem::exists(checkpoint);
  const ProgressCallback progress = arguments_.quiet ? ProgressCallback{} : console_progress();
  FitResult result = fit(latent, data_.training, options, progress, data_.held_out,
                         [] { return interrupted_by() != 0; });
  if (result.interrupted) {
    if (!arguments_.quiet && ::isatty(STDERR_FILENO) != 0)
      std::fputc('\n', stderr);  // ends the progress line
    if (!history.empty()) write_file(history, history_csv(result.history));
    throw Interrupted{fmt::format("in epoch {} of {}", result.history.size() + 1, options.epochs)};
  }
  return result;
}

Evaluation FitRun::evaluate_on(const Dataset& data, const LatentModel& latent,
                               const Parameters& parameters) {
  return evaluate(latent, parameters, data,
                  {.samples = arguments_.evaluation_samples,
                   .seed = arguments_.options.seed,
                   .device = arguments_.options.device,
                   .threads = arguments_.options.threads,
                   .non_finite_limit = arguments_.options.non_finite_limit});
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
  comparison_.push_back(
      compared(independent_columns(latent_.likelihood, data_.training, data_.held_out)));
  comparison_.push_back(compared(
      full_gaussian(latent_.likelihood, data_.training, data_.held_out, arguments_.options.seed)));
}

void FitRun::compare(const Evaluation& evaluation) {
  say("fitting the same model with its nonlinear dynamics switched off");
  const LatentModel linear = linear_gaussian(latent_);
  const FitResult fitted = train(linear, folder_.baseline_checkpoint(), {});
  comparison_.push_back(compared("the same without neural dynamics",
                                 evaluate_on(data_.held_out, linear, fitted.parameters)));
  comparison_.push_back(compared("neural SDE", evaluation));
}

void FitRun::run() {
  const auto start = arguments_.resume      ? FitFolder::Start::resume
                     : arguments_.overwrite ? FitFolder::Start::overwrite
                                            : FitFolder::Start::fresh;
  folder_.open(start);
  try {
    write_model();
    write_results();
  } catch (const std::exception&) {
    folder_.abandon();
    throw;
  }
}

void FitRun::write_results() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  if (arguments_.resume && !std::filesystem::exists(folder_.checkpoint()))
    say(fmt::format("no checkpoint in {}: starting anew", arguments_.out));
  const FitResult fitted = train(latent_, folder_.checkpoint(), folder_.history());
  save_safetensors(fitted.parameters, folder_.parameters());
  write_file(folder_.history(), history_csv(fitted.history));
  stop_if_interrupted("before the evaluation");

  FitReport report{.latent = latent_,
                   .parameters = fitted.parameters,
                   .history = fitted.history,
                   .training = data_.training,
                   .held_out = data_.held_out,
                   .evaluation = {},
                   .comparison = {},
                   .settings = {},
                   .device = arguments_.options.device,
                   .threads = arguments_.options.threads};
  report.evaluation = evaluate_on(report.shown(), latent_, fitted.parameters);
  stop_if_interrupted("before the comparison");
  if (arguments_.compare) compare(*report.evaluation);
  report.comparison = comparison_;
  const std::chrono::duration<double> seconds = Clock::now() - began;
  report.settings = describe_settings(arguments_, data_.training, data_.held_out, seconds.count());
  stop_if_interrupted("before the report");

  const auto summary = summary_json(report);
  write_file(folder_.report(), render_report(report));
  write_file(folder_.summary(), summary.dump(2) + "\n");
  stop_if_interrupted("before the results were in place");
  folder_.publish();
  result_ = arguments_.json ? summary.dump() + "\n" : summary_text(report);
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
  for (const std::string& argument : arguments.command_line)
    if (argument != "--overwrite" && argument != "--resume") text += quoted(argument) + " ";
  return text + "--resume";
}

/// Refuses what `fit` would refuse of its options, by the options' names here.
void check_training_options(const FitOptions& options) {
  try {
    check_options(options);
  } catch (const Error& error) {
    const std::string what = error.what(), prefix = "fit.";
    const std::size_t begin = what.starts_with(prefix) ? prefix.size() : 0, end = what.find(':');
    std::string option = "--" + what.substr(begin, end - begin);
    std::ranges::replace(option, '_', '-');
    throw UsageError(option + what.substr(end));
  }
}

void check_usage(const FitArguments& arguments) {
  check_training_options(arguments.options);
  if (arguments.compare && arguments.held_out_rows == 0 && arguments.held_out_data.empty()) {
    throw UsageError("--compare", "no held-out data",
                     "--held-out N or --held-out-data FILE to compare on");
  }
}

}  // namespace

int run_fit(const FitArguments& arguments) {
  check_usage(arguments);
  FitRun fit_run(arguments);
  ResultFolder folder(arguments.out);
  folder.make("--out");
  catch_interrupts();
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
