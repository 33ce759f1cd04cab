#include <cstdint>
#include <string>

#include <fmt/format.h>
#include <ito/parameters.hpp>

#include "cli/commands.hpp"
#include "cli/description.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"

namespace ito::cli {
namespace {

struct InitArguments {
  std::string model;
  std::string out;
  std::uint64_t seed = 1;
};

int init(const InitArguments& arguments) {
  require_writable(arguments.out, "--out");
  const Description description = read_description(arguments.model);
  const Parameters parameters = description.latent ? initialize(*description.latent, arguments.seed)
                                                   : initialize(description.model, arguments.seed);
  save_safetensors(parameters, arguments.out);
  print(fmt::format("{} parameters in {} tensors written to {}\n", parameters.size(),
                    parameters.tensors().size(), arguments.out));
  return 0;
}

}  // namespace

void add_init(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand("init", "Write fresh parameters of a model");
  auto arguments = std::make_shared<InitArguments>();
  command->add_option("MODEL.json", arguments->model, "Model description")->required();
  add_whole_number(*command, "--seed", arguments->seed, "Seed of the random weights");
  command->add_option("--out", arguments->out, "File to write (safetensors)")->required();
  command->callback([arguments, &action] { action = [arguments] { return init(*arguments); }; });
}

}  // namespace ito::cli
