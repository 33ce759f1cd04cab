#include <cstdint>
#include <string>

#include <fmt/format.h>
#include <ito/parameters.hpp>

#include "cli/commands.hpp"
#include "cli/description.hpp"
#include "cli/file_options.hpp"
#include "cli/options.hpp"
#include "cli/output_file.hpp"

namespace ito::cli {
namespace {

struct InitArguments {
  std::string model;
  std::string out;
  std::uint64_t seed = 1;
};

int init(const InitArguments& arguments) {
  const OutputFile out("--out", arguments.out, OutputFile::Kind::binary);
  const Description description = read_description(arguments.model);
  const Parameters parameters = description.latent ? initialize(*description.latent, arguments.seed)
                                                   : initialize(description.model, arguments.seed);
  out.write([&](const auto& file) { save_safetensors(parameters, file); });
  out.say(fmt::format("{} parameters in {} tensors written to {}\n", parameters.size(),
                      parameters.tensors().size(), out.name()));
  return 0;
}

}  // namespace

void add_init(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand("init", "Write fresh parameters of a model");
  auto arguments = std::make_shared<InitArguments>();
  add_input(*command, "MODEL.json", arguments->model, "Model description")->required();
  add_whole_number(*command, "--seed", arguments->seed, "Seed of the random weights");
  add_output_file(*command, arguments->out, "File to write (safetensors)")->required();
  command->callback([arguments, &action] { action = [arguments] { return init(*arguments); }; });
}

}  // namespace ito::cli
