#include "cli/fit_run.hpp"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ito/version.hpp>

#include "cli/bounds.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

std::string cell(double value) {
  return std::isnan(value) ? std::string() : fmt::format("{}", value);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_settings(const FitArguments& arguments,
                                                                   const Dataset& training,
                                                                   const Dataset& held_out,
                                                                   const FitResult& fitted,
                                                                   double seconds) {
  const FitOptions& options = arguments.options;
  const auto text = [](auto value) { return fmt::format("{}", value); };
  std::vector<std::pair<std::string, std::string>> settings{
      {"data", printable(arguments.data)},
      {"training observations", text(training.count)},
      {"held-out observations", text(held_out.count)},
      {"objective", text(name(options.objective))},
      {"epochs", text(options.epochs)},
      {"batch", text(options.batch)},
      {"paths per observation", text(options.samples)},
      {"learning rate", text(options.learning_rate)},
      {"schedule", text(name(options.schedule))},
      {"warm-up epochs", text(options.warmup_epochs)},
      {"energy weight", text(options.energy_weight)},
      {"annealing epochs", text(options.annealing_epochs)},
      {"clip norm", text(options.clip_norm)},
      {"averaging", text(options.averaging)},
      {"seed", text(options.seed)},
      {"engine", options.execution.device.kind() == Device::Kind::cpu
                     ? options.execution.device.name() + " (" + cpu_instruction_set() + ")"
                     : options.execution.device.name()},
      {"seconds", fmt::format("{:.1f}", seconds)},
      {"ito", version()}};
  if (arguments.standardize) settings.emplace_back("standardized", "by the training series");
  if (arguments.forecast_after)
    settings.emplace_back("forecasts scored after", text(*arguments.forecast_after));
  if (options.schedule == Schedule::exponential)
    settings.emplace_back("decay", text(options.decay));
  if (options.annealing_cycles > 1)
    settings.emplace_back("annealing cycles", text(options.annealing_cycles));
  if (options.patience > 0) settings.emplace_back("patience", text(options.patience));
  if (!arguments.start.empty()) settings.emplace_back("start", printable(arguments.start));
  if (!options.fixed.empty())
    settings.emplace_back("fixed", fmt::format("{}", fmt::join(options.fixed, ", ")));
  std::vector<std::size_t> anew;
  const std::vector<EpochRecord>& history = fitted.history;
  for (std::size_t e = 1; e < history.size(); ++e)
    if (history[e].plan != history[e - 1].plan) anew.push_back(history[e].epoch);
  if (!anew.empty())
    settings.emplace_back("learning rate planned anew",
                          fmt::format("in epoch {}", fmt::join(anew, ", ")));
  return settings;
}

nlohmann::ordered_json summary_json(const FitReport& report) {
  nlohmann::ordered_json object;
  for (const auto& [name, value] : report.settings) object["settings"][name] = value;
  object["parameters"] = report.parameters.size();
  object["epochs"] = report.history.size();
  if (report.best_epoch > 0) {
    object["best_epoch"] = report.best_epoch;
    object["stopped_early"] = report.stopped_early;
  }
  if (report.evaluation) {
    const Evaluation& result = *report.evaluation;
    object["evaluated_on"] = report.held_out.count > 0 ? "held-out" : "training";
    object["observations"] = result.observations;
    object["samples"] = result.samples;
    add_bounds(object, result);
    object["exact_weights"] = properties(report.latent.model.solver).exact_weight;
    object["default_parameters"] = name(report.chosen);
  }
  if (report.others) {
    const Evaluation& result = *report.others;
    object["other_parameters"] = {{"name", name(report.other())},
                                  {"elbo", result.elbo},
                                  {"elbo_error", result.elbo_error},
                                  {"iwae", result.iwae},
                                  {"iwae_error", result.iwae_error}};
  }
  if (report.forecasts) object["forecasts"] = scores_json(*report.forecasts);
  for (const Comparison& model : report.comparison) {
    object["comparison"].push_back({{"name", model.name},
                                    {"elbo", model.elbo},
                                    {"elbo_error", model.elbo_error},
                                    {"iwae", model.iwae},
                                    {"iwae_error", model.iwae_error}});
  }
  if (!report.comparison.empty()) object["verdict"] = verdict(report.comparison);
  return object;
}

std::string summary_text(const FitReport& report) {
  std::string text;
  for (const std::string& reading : report.readings) text += reading + "\n";
  if (const std::string stopping = report.about_stopping(); !stopping.empty())
    text += "training " + stopping + "\n";
  if (report.evaluation) {
    const Evaluation& result = *report.evaluation;
    text += fmt::format("{} of {} observations, nats per observation, {} paths each\n",
                        report.held_out.count > 0 ? "held-out data" : "training data",
                        result.observations, result.samples);
    text += fmt::format("  ELBO                 {:.2f} ± {:.2f}\n", result.elbo, result.elbo_error);
    text += fmt::format("  importance weighted  {:.2f} ± {:.2f}\n", result.iwae, result.iwae_error);
    text += fmt::format("  path energy          {:.2f}\n", result.energy);
    text += fmt::format("  effective samples    {:.1f}\n", result.ess);
    text += fmt::format("  tail of the weights  {}\n", tail_text(result));
    if (const std::string warning = tail_warning(result); !warning.empty())
      text += fmt::format("  warning: {}\n", warning);
    if (const std::string reservation = report.reservation(); !reservation.empty())
      text += fmt::format("  {}\n", reservation);
    if (const std::string others = report.about_others(); !others.empty())
      text += fmt::format("  {}\n", others);
  }
  if (report.forecasts) text += scores_text(*report.forecasts);
  if (!report.comparison.empty()) {
    text += fmt::format("\n{}\n{}\n", comparison_table(report.comparison),
                        fmt::join(verdict(report.comparison), "\n"));
  }
  return text;
}

std::string history_csv(const FitResult& fitted) {
  std::string text =
      "epoch,elbo,held_out_elbo,held_out_iwae,held_out_ess,energy,gradient_norm,learning_rate,"
      "non_finite,plan,kept\n";
  for (const EpochRecord& record : fitted.history) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", record.epoch, cell(record.elbo),
                        cell(record.held_out_elbo), cell(record.held_out_iwae),
                        cell(record.held_out_ess), cell(record.energy), cell(record.gradient_norm),
                        cell(record.learning_rate), record.non_finite, record.plan,
                        record.epoch == fitted.best_epoch ? 1 : 0);
  }
  return text;
}

}  // namespace ito::cli
