#include <cstdint>
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

namespace ito::cli {
namespace {

struct EvaluateArguments {
  std::string folder;
  std::string data;
  Header header = Header::automatic;
  std::string parameters{default_parameters};
  EvaluateOptions options;
  bool per_observation = false;
};

int evaluate_fit(const EvaluateArguments& arguments) {
  const FittedModel fitted = read_fit(arguments.folder, arguments.parameters);
  const DatasetFile file =
      read_observations(arguments.data, fitted.latent.model.save.size(), arguments.header);
  const Dataset& data = file.data;
  check_dataset(data, fitted.latent);
  const EvaluateOptions& options = arguments.options;
  const Evaluation result = evaluate(fitted.latent, fitted.parameters, options, data);
  print_message(fmt::format("{}: {}", arguments.data, reading_of(file)));

  nlohmann::ordered_json object{{"observations", result.observations},
                                {"samples", result.samples},
                                {"seed", options.seed},
                                {"device", options.execution.device.name()},
                                {"parameters", arguments.parameters}};
  add_bounds(object, result);
  object["non_finite"] = result.non_finite;
  object["exact_weights"] = properties(fitted.latent.model.solver).exact_weight;
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
  set_action(*command, action, arguments, evaluate_fit);
}

}  // namespace ito::cli
