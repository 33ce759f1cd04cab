#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/dataset.hpp>
#include <ito/error.hpp>
#include <ito/sample.hpp>
#include <ito/sample_series.hpp>
#include <ito/series_file.hpp>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_folder.hpp"
#include "cli/options.hpp"
#include "cli/output_file.hpp"
#include "cli/series_options.hpp"

namespace ito::cli {
namespace {

struct SampleArguments {
  std::string folder;
  std::string out;
  std::uint64_t count = 1;
  const CLI::Option* counted = nullptr;  ///< --count, which only --like stands in for
  std::string parameters{default_parameters};
  // Of a model of series.
  std::vector<double> times;
  std::string like;
  SeriesOptions series;
  SampleOptions options;
};

/// y0, y1, … for one observation time; t0_y0, … for several. The order `read_dataset` takes back.
std::vector<std::string> column_names(const Dataset& data) {
  std::vector<std::string> names;
  for (std::size_t t = 0; t < data.times; ++t)
    for (std::size_t i = 0; i < data.dimension; ++i)
      names.push_back(data.times == 1 ? fmt::format("y{}", i) : fmt::format("t{}_y{}", t, i));
  return names;
}

/// At --times, or at those of the series of --like and under their inputs.
SeriesDataset draw_series(const SampleArguments& arguments, const FittedModel& fitted) {
  const SeriesModel& model = *fitted.series;
  if (!arguments.like.empty()) {
    return sample_series(
        model, fitted.parameters,
        read_model_series(arguments.like, arguments.series, model, Header::automatic),
        arguments.options);
  }
  arguments.series.refuse();
  if (model.latent.model.inputs > 0)
    throw Error("--like", "none", "a file of series with the inputs of a model that takes some");
  if (arguments.times.empty())
    throw Error("--times", "none",
                "the times to draw series at, as 0,0.5,1 or FROM:TO:STEP, or --like FILE");
  return sample_series(model, fitted.parameters, arguments.times, arguments.count,
                       arguments.options);
}

int write_series(const OutputFile& out, const SeriesDataset& drawn) {
  out.write([&](const auto& file) { write_series_csv(file, drawn); });
  out.say(fmt::format("{} series of {} times in all written to {}\n", drawn.count(), drawn.times(),
                      out.name()));
  return 0;
}

int draw(const SampleArguments& arguments) {
  if (arguments.counted->count() == 0 && arguments.like.empty())
    throw Error("--count", "none", "how many to draw");
  const OutputFile out("--out", arguments.out, OutputFile::Kind::text);
  const FittedModel fitted = read_fit(arguments.folder, arguments.parameters);
  if (fitted.series) return write_series(out, draw_series(arguments, fitted));
  arguments.series.refuse();
  for (const auto& [option, given] :
       {std::pair{"--times", !arguments.times.empty()}, {"--like", !arguments.like.empty()}}) {
    if (given)
      throw Error(option, "one",
                  "none with a model that is not one of series: it has its own times");
  }
  const Dataset drawn =
      sample(fitted.latent, fitted.parameters, arguments.count, arguments.options);
  out.write([&](const auto& file) { write_csv(file, column_names(drawn), drawn.values); });
  out.say(fmt::format("{} observations written to {}\n", drawn.count, out.name()));
  return 0;
}

}  // namespace

void add_sample(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "sample",
      "Draw observations from a fitted model: prior paths through decoder and likelihood");
  auto arguments = std::make_shared<SampleArguments>();
  add_folder(*command, "DIR", arguments->folder, "Folder that `ito fit` wrote")->required();
  auto* const count = add_paths(*command, "--count", arguments->count, "Observations to draw", 1);
  add_output_file(*command, arguments->out, "File to write (.csv)")->required();
  auto* times = add_numbers(*command, "--times", arguments->times,
                            "Of a model of series: the times of each, as 0,0.5,1 or FROM:TO:STEP");
  add_input(
      *command, "--like", arguments->like,
      "Of a model of series: draw one for each of this file, at its times and under its inputs")
      ->excludes(count)
      ->excludes(times);
  add_series_options(*command, arguments->series);
  arguments->counted = count;
  add_whole_number(*command, "--seed", arguments->options.seed, "Seed of the draws");
  command->add_flag("--mean", arguments->options.mean,
                    "Write the mean of y given each path instead of a draw");
  add_fit_parameters(*command, arguments->parameters);
  add_device(*command, arguments->options.execution.device);
  add_threads(*command, arguments->options.execution.threads);
  set_action(*command, action, arguments, draw);
}

}  // namespace ito::cli
