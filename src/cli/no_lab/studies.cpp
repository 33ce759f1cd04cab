#include <string>

#include <ito/error.hpp>

#include "cli/commands.hpp"

namespace ito::cli {

void add_studies(CLI::App& program, Action& action) {
  for (const std::string name : {"study", "orders", "gradients"}) {
    auto* command = program.add_subcommand(name, "Not in this build, which is without ito::lab");
    command->allow_extras();
    command->callback([name, &action] {
      action = [name]() -> int {
        throw Error(name +
                    ": this ito was built without ito::lab; configure it with "
                    "-DITO_BUILD_LAB=ON and build it again");
      };
    });
  }
}

}  // namespace ito::cli
