// The commands that say what is to be expected of series: forecast and impute.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/forecast.hpp>
#include <ito/impute.hpp>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_folder.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/output_file.hpp"
#include "cli/prediction_file.hpp"
#include "cli/series_options.hpp"
#include "inference/series_inputs.hpp"
#include "model/check.hpp"

namespace ito::cli {
namespace {

template <class Options>
struct PredictArguments {
  std::string folder, data, out;
  std::string parameters{default_parameters};
  Header header = Header::automatic;
  SeriesOptions series;
  std::vector<double> times;
  std::optional<double> after;  ///< of a forecast
  Options options;

  bool npz() const { return out.ends_with(".npz"); }
};

/// The fit's model and the series of DATA.
struct PredictInput {
  SeriesModel model;
  Parameters parameters;
  SeriesDataset data;
};

template <class Options>
PredictInput read_input(const PredictArguments<Options>& arguments) {
  FittedModel fitted = read_fit(arguments.folder, arguments.parameters);
  if (!fitted.series)
    throw Error("DIR",
                fmt::format("'{}', a model of observations at fixed times", arguments.folder),
                "a fit of a model of series: its MODEL.json has the key `series`");
  SeriesDataset data =
      read_model_series(arguments.data, arguments.series, *fitted.series, arguments.header);
  print_message(fmt::format("{}: {}", arguments.data, reading_of(data)));
  return {std::move(*fitted.series), std::move(fitted.parameters), std::move(data)};
}

template <class Options>
int write_predictions(const OutputFile& out, const PredictArguments<Options>& arguments,
                      const PredictInput& input, const std::vector<SeriesPrediction>& predictions) {
  const auto write = arguments.npz() ? write_predictions_npz : write_predictions_csv;
  out.write([&](const auto& file) {
    write(file, input.data.columns, arguments.options.quantiles, predictions);
  });
  std::size_t times = 0;
  for (const SeriesPrediction& one : predictions) times += one.times.size();
  out.say(fmt::format("{} series at {} times, {} samples each, written to {}\n", predictions.size(),
                      times, arguments.options.samples, out.name()));
  return 0;
}

template <class Options>
OutputFile output_of(const PredictArguments<Options>& arguments) {
  return {"--out", arguments.out,
          arguments.npz() ? OutputFile::Kind::binary : OutputFile::Kind::text};
}

/// All times of some series, in order.
std::vector<double> all_times(const SeriesDataset& data) {
  std::set<double> times;
  for (const Series& one : data.series) times.insert(one.times.begin(), one.times.end());
  return {times.begin(), times.end()};
}

/// The predictions at those of their times.
void keep_times(SeriesPrediction& prediction, const std::vector<double>& times,
                std::size_t columns) {
  const std::vector<double> all = std::move(prediction.times);
  prediction.times = times;
  const auto keep = [&](std::vector<float>& numbers) {
    std::vector<float> kept;
    for (std::size_t i = 0; i < numbers.size(); i += columns)
      if (std::ranges::binary_search(times, all[i / columns % all.size()]))
        kept.insert(kept.end(), numbers.begin() + static_cast<std::ptrdiff_t>(i),
                    numbers.begin() + static_cast<std::ptrdiff_t>(i + columns));
    numbers = std::move(kept);
  };
  for (auto* numbers :
       {&prediction.samples, &prediction.mean, &prediction.deviation, &prediction.quantiles})
    keep(*numbers);
}

int run_forecast(const PredictArguments<ForecastOptions>& arguments) {
  const OutputFile out = output_of(arguments);
  PredictInput input = read_input(arguments);
  std::vector<double> times = arguments.times;
  const SeriesDataset whole = input.data;
  if (arguments.after) {
    SeriesSplit split = split_after(input.data, *arguments.after);
    input.data = std::move(split.first);
    if (times.empty()) times = all_times(split.second);
  }
  if (times.empty())
    throw Error("--times", "none",
                arguments.after ? "times to forecast: no series has any after --after"
                                : "times to forecast, or --after T for those of the data after T");
  if (prior(input.model.latent.model).inputs == 0)
    return write_predictions(
        out, arguments, input,
        forecast(input.model, input.parameters, input.data, times, arguments.options));
  check_times("--times", times);
  std::vector<SeriesPrediction> predictions =
      forecast(input.model, input.parameters, input.data,
               with_input_times(whole, input.data, times), arguments.options);
  for (SeriesPrediction& one : predictions) keep_times(one, times, input.data.dimension());
  return write_predictions(out, arguments, input, predictions);
}

int run_impute(const PredictArguments<ImputeOptions>& arguments) {
  const OutputFile out = output_of(arguments);
  const PredictInput input = read_input(arguments);
  return write_predictions(
      out, arguments, input,
      impute(input.model, input.parameters, input.data, arguments.times, arguments.options));
}

template <class Options>
void add_prediction_options(CLI::App& command, PredictArguments<Options>& arguments) {
  Options& options = arguments.options;
  add_folder(command, "DIR", arguments.folder, "Folder with a fit of a model of series")
      ->required();
  add_input(command, "DATA", arguments.data, "Series, .csv, .npy or .npz")->required();
  add_header(command, arguments.header);
  add_output_file(command, arguments.out,
                  "File to write: .npz, or else .csv with mean, standard deviation and quantiles")
      ->required();
  add_count(command, "--samples", options.samples, "Paths of each series");
  add_number(command, "--least-ess", options.least_ess,
             "Where weights leave a smaller fraction of effective paths, they are made flatter "
             "until they do not; 0: never");
  add_numbers(command, "--quantiles", options.quantiles, "Each between 0 and 1")
      ->default_str("0.05,0.25,0.5,0.75,0.95");
  add_whole_number(command, "--seed", options.seed, "Seed of the paths");
  command.add_flag("--mean", options.mean, "Of the mean of y given each path instead of a draw");
  add_fit_parameters(command, arguments.parameters);
  add_device(command, options.execution.device);
  add_threads(command, options.execution.threads);
  add_series_options(command, arguments.series);
}

}  // namespace

void add_forecast(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "forecast", "What is to be expected of series after what was seen of them");
  auto arguments = std::make_shared<PredictArguments<ForecastOptions>>();
  add_prediction_options(*command, *arguments);
  add_numbers(*command, "--times", arguments->times,
              "To forecast, as 5,6,7 or FROM:TO:STEP, after all that was seen");
  add_number(*command, "--after", arguments->after,
             "What is seen ends here; without --times, the data's later times are forecast. Inputs "
             "are taken from later rows too, of which the last one stays");
  set_action(*command, action, arguments, run_forecast);
}

void add_impute(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "impute", "What is missing in series, and what lies between their times");
  auto arguments = std::make_shared<PredictArguments<ImputeOptions>>();
  add_prediction_options(*command, *arguments);
  add_numbers(*command, "--times", arguments->times,
              "As 5,6,7 or FROM:TO:STEP; without, the times of each series");
  command->add_flag("--denoise", arguments->options.denoise,
                    "Also of what was observed, which keeps its value otherwise");
  set_action(*command, action, arguments, run_impute);
}

}  // namespace ito::cli
