#include "study_command/gradient_memory.hpp"

#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "cli/child_process.hpp"
#include "cli/temporary_folder.hpp"
#include "io/file.hpp"
#include "model/check.hpp"

namespace ito::cli {

double peak_memory_of(const study::GradientRun& run) {
  if (peak_memory() == 0) return 0;
  const TemporaryFolder folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  write_file(file("model.json"), to_json(run.model));
  save_safetensors(run.parameters, file("parameters.safetensors"));
  const int status = run_child(folder.path(), "/proc/self/exe",
                               {"ito",
                                "gradient",
                                file("model.json"),
                                "--params",
                                file("parameters.safetensors"),
                                "--paths",
                                fmt::format("{}", run.paths),
                                "--loss",
                                R"({"state": 1, "energy": 1})",
                                "--method",
                                std::string(name(run.method)),
                                "--workspace-limit",
                                fmt::format("{}", run.workspace_limit),
                                "--threads",
                                fmt::format("{}", run.threads),
                                "--device",
                                "cpu",
                                "--json",
                                "--out",
                                file("gradient.safetensors")});
  const std::string said = read_file(folder.path() / "log");
  if (status != 0) throw Error(fmt::format("ito gradient ended with status {}: {}", status, said));
  return nlohmann::json::parse(said)["peak_memory"];
}

}  // namespace ito::cli
