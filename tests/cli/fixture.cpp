#include "cli/fixture.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace fs = std::filesystem;

const std::string small_sde = R"({
  "state": 2, "horizon": 1.0, "steps": 8, "save": [0, 4, 8],
  "initial": {"kind": "gaussian"},
  "drift": {"kind": "mlp", "hidden": [4]},
  "diffusion": {"kind": "diagonal", "hidden": [3], "output": "softplus"},
  "control": {"kind": "feedback", "hidden": [4]}
})";

const std::string small_latent_model = R"({
  "state": 2, "horizon": 1.0, "steps": 6,
  "initial": {"kind": "learned"},
  "drift": {"kind": "mlp", "hidden": [4]},
  "diffusion": {"kind": "diagonal", "hidden": [3], "output": "softplus"},
  "control": {"kind": "feedback", "hidden": [5], "context": 2},
  "observed": 3,
  "encoder": {"kind": "mlp", "hidden": [4]},
  "decoder": {"kind": "mlp", "hidden": []},
  "likelihood": {"kind": "gaussian", "scale": 0.5, "learned": true}
})";

ProgramTest::ProgramTest() : folder(new_folder()) {
  write(folder / "sde.json", small_sde);
  write(folder / "latent.json", small_latent_model);
  std::string data = "a,b,c\n";
  for (int i = 0; i < 24; ++i)
    data += fmt::format("{:.4f},{:.4f},{:.4f}\n", std::sin(1.7 * i), std::cos(0.9 * i),
                        std::sin(0.3 * i + 1));
  write(folder / "data.csv", data);
}

ProgramTest::~ProgramTest() {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

std::vector<std::string> ProgramTest::fit_arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"fit",
                                     at("latent.json"),
                                     at("data.csv"),
                                     "--out",
                                     at("fit"),
                                     "--held-out",
                                     "8",
                                     "--batch",
                                     "8",
                                     "--threads",
                                     "1",
                                     "--evaluation-samples",
                                     "16"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void expect_error(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(outcome.err.starts_with("ito: ")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with('\n')) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in " << outcome.err;
}

std::map<std::string, std::string> snapshot(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder).string()] = read(entry.path());
  return files;
}

std::vector<std::string> listing(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    names.push_back(fs::relative(entry.path(), folder).string());
  std::ranges::sort(names);
  return names;
}
