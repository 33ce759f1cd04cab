#include <thread>

#include <fmt/format.h>
#include <ito/device.hpp>
#include <ito/version.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace ito::cli {
namespace {

int info(bool json) {
  const unsigned threads = std::thread::hardware_concurrency();
  if (json) {
    const nlohmann::ordered_json object{{"version", version()},
                                        {"engines", {"cpu", "reference"}},
                                        {"default_engine", Device::best().name()},
                                        {"instruction_set", cpu_instruction_set()},
                                        {"hardware_threads", threads}};
    print(object.dump() + "\n");
    return 0;
  }
  print(fmt::format("ito {}\n", version()));
  print(fmt::format("engines          cpu (float32), reference (float64); default {}\n",
                    Device::best().name()));
  print(fmt::format("instruction set  {}\n", cpu_instruction_set()));
  print(fmt::format("threads          {}\n", threads));
  return 0;
}

}  // namespace

void add_info(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand("info", "Version, engines, instruction set and threads");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([json, &action] { action = [json] { return info(*json); }; });
}

}  // namespace ito::cli
