#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/dataset.hpp>
#include <ito/sample.hpp>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_folder.hpp"
#include "cli/options.hpp"
#include "cli/output_file.hpp"

namespace ito::cli {
namespace {

struct SampleArguments {
  std::string folder;
  std::string out;
  std::uint64_t count = 1;
  std::string parameters{default_parameters};
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

int draw(const SampleArguments& arguments) {
  const OutputFile out("--out", arguments.out, OutputFile::Kind::text);
  const FittedModel fitted = read_fit(arguments.folder, arguments.parameters);
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
  add_paths(*command, "--count", arguments->count, "Observations to draw", 1)->required();
  add_output_file(*command, arguments->out, "File to write (.csv)")->required();
  add_whole_number(*command, "--seed", arguments->options.seed, "Seed of the draws");
  command->add_flag("--mean", arguments->options.mean,
                    "Write the mean of y given each path instead of a draw");
  add_fit_parameters(*command, arguments->parameters);
  add_device(*command, arguments->options.execution.device);
  add_threads(*command, arguments->options.execution.threads);
  set_action(*command, action, arguments, draw);
}

}  // namespace ito::cli
