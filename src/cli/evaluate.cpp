#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <ito/dataset.hpp>
#include <ito/evaluate.hpp>
#include <nlohmann/json.hpp>

#include "cli/bounds.hpp"
#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_folder.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/prediction_scores.hpp"
#include "cli/series_options.hpp"

namespace ito::cli {
namespace {

struct EvaluateArguments {
  std::string folder;
  std::string data;
  Header header = Header::automatic;
  SeriesOptions series;
  std::optional<double> forecast_after, hide;
  std::string parameters{default_parameters};
  EvaluateOptions options;
  bool per_observation = false;
};

/// The data as rows of the fitted model.
struct EvaluateInput {
  FittedModel fitted;
  Dataset rows{};
  SeriesDataset series{};       ///< of a model of series
  SeriesSplit cut{}, hidden{};  ///< as --forecast-after and --hide ask for
  std::string reading{};
};

EvaluateInput read_input(const EvaluateArguments& arguments) {
  EvaluateInput input{.fitted = read_fit(arguments.folder, arguments.parameters)};
  FittedModel& fitted = input.fitted;
  if (fitted.series) {
    input.series =
        read_model_series(arguments.data, arguments.series, *fitted.series, arguments.header);
    LatentSeries sized = latent_series(*fitted.series, input.series);
    fitted.latent = std::move(sized.latent);
    input.rows = std::move(sized.data);
    input.reading = reading_of(input.series);
    if ((arguments.forecast_after || arguments.hide) && arguments.options.samples < 2)
      throw Error("--samples", "1", "2 or more, to score forecasts or imputations");
    if (arguments.forecast_after) input.cut = split_for(input.series, *arguments.forecast_after);
    if (arguments.hide && !(*arguments.hide > 0 && *arguments.hide < 1))
      throw Error("--hide", fmt::format("{}", *arguments.hide), "a number between 0 and 1");
    if (arguments.hide)
      input.hidden = hide_values(input.series, *arguments.hide, arguments.options.seed);
  } else {
    arguments.series.refuse();
    DatasetFile file =
        read_observations(arguments.data, fitted.latent.model.save.size(), arguments.header);
    input.reading = reading_of(file);
    input.rows = std::move(file.data);
  }
  check_dataset(input.rows, fitted.latent);
  return input;
}

/// What was hidden of the series, from the rest.
ScoredPredictions scored_imputations(const EvaluateArguments& arguments,
                                     const EvaluateInput& input) {
  const EvaluateOptions& options = arguments.options;
  const SeriesSplit& split = input.hidden;
  return {.task = fmt::format("Imputations of {:g} of the numbers", *arguments.hide),
          .model = score_imputations(
              *input.fitted.series, input.fitted.parameters, split.first, split.second,
              {.samples = options.samples, .seed = options.seed, .execution = options.execution}),
          .baseline = baseline_errors(split.first, split.first, split.second)};
}

int evaluate_fit(const EvaluateArguments& arguments) {
  const EvaluateInput input = read_input(arguments);
  const FittedModel& fitted = input.fitted;
  const EvaluateOptions& options = arguments.options;
  const Evaluation result = evaluate(fitted.latent, fitted.parameters, options, input.rows);
  print_message(fmt::format("{}: {}", arguments.data, input.reading));

  nlohmann::ordered_json object{{"observations", result.observations},
                                {"samples", result.samples},
                                {"seed", options.seed},
                                {"device", options.execution.device.name()},
                                {"parameters", arguments.parameters}};
  add_bounds(object, result);
  object["non_finite"] = result.non_finite;
  object["exact_weights"] = properties(fitted.latent.model.solver).exact_weight;
  if (arguments.forecast_after)
    object["forecasts"] = scores_json(scored_forecasts(
        *fitted.series, fitted.parameters, input.cut.first, input.cut, *arguments.forecast_after,
        {.samples = options.samples, .seed = options.seed, .execution = options.execution}));
  if (arguments.hide) object["imputations"] = scores_json(scored_imputations(arguments, input));
  if (arguments.per_observation) {
    object["log_marginal_by_observation"] = result.log_marginal;
    object["tail_shape_by_observation"] = result.tail_shapes;
  }
  print(json_text(object));
  if (const std::string warning = tail_warning(result); !warning.empty())
    print_message("warning: " + warning);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "evaluate", "Bounds on log p(y) of a fitted model, in nats per observation, as JSON");
  auto arguments = std::make_shared<EvaluateArguments>();
  add_folder(*command, "DIR", arguments->folder, "Folder that `ito fit` wrote")->required();
  add_input(*command, "DATA", arguments->data, fmt::format("Observations, {}", observation_files))
      ->required();
  add_header(*command, arguments->header);
  add_count(*command, "--samples", arguments->options.samples, "Paths per observation");
  add_whole_number(*command, "--seed", arguments->options.seed, "Seed of the paths");
  add_fit_parameters(*command, arguments->parameters);
  add_device(*command, arguments->options.execution.device);
  add_threads(*command, arguments->options.execution.threads);
  add_number(*command, "--non-finite-limit", arguments->options.non_finite_limit,
             "Largest accepted fraction of non-finite paths");
  command->add_flag("--per-observation", arguments->per_observation,
                    "Also list log p(y) and the tail shape of every observation");
  SeriesOptions& series = arguments->series;
  add_series_options(*command, series);
  const auto add_score = [&](const char* option, std::optional<double>& value,
                             const char* description) {
    series.options.push_back(add_number(*command, option, value, description)->group("Series"));
  };
  add_score("--forecast-after", arguments->forecast_after,
            "Score forecasts of what comes after this time from what comes before");
  add_score("--hide", arguments->hide,
            "Score imputations of this fraction of the numbers, drawn at random, from the rest");
  set_action(*command, action, arguments, evaluate_fit);
}

}  // namespace ito::cli
