// Sizes that no machine has, given for every number that every command takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace {

/// Around the places where 64 bits, their half and a product with 4, 8 or 16 bytes wrap around.
const std::vector<std::string> wild{"4611686018427387904",              // 2^62
                                    "9223372036854775808",              // 2^63
                                    "18446744073709551600",             // 2^64 − 16
                                    "18446744073709551615",             // 2^64 − 1
                                    "1152921504606846976",              // 2^60
                                    "1152921504606846992",              // 2^60 + 16
                                    "1000000000000000000000000000000",  // 10^30
                                    "1e30",
                                    "-1"};

struct NumberOption {
  std::string name;
  bool whole;
};

/// The options of a command that take a number, as its help lists them.
std::vector<NumberOption> number_options(const std::string& command) {
  const std::string help = run({command, "--help"}).out;
  const std::regex line("\n +(--[a-z0-9-]+) (N|X)\\b");
  std::vector<NumberOption> options;
  for (std::sregex_iterator at(help.begin(), help.end(), line), end; at != end; ++at)
    options.push_back({(*at)[1], (*at)[2] == "N"});
  return options;
}

class Sizes : public ProgramTest {
 protected:
  Sizes() {
    run({"init", at("sde.json"), "--out", at("p.safetensors")});
    run({"init", at("latent.json"), "--out", at("l.safetensors")});
  }

  std::vector<std::string> simulate(const std::string& model,
                                    const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"simulate",          model,   "--params",
                                       at("p.safetensors"), "--out", at("o.npz")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

/// No signal; success, or one line that names the option and none of the C++ library's.
void expect_told(const Outcome& outcome, const NumberOption& option) {
  EXPECT_EQ(outcome.signal, 0);
  if (outcome.status == 0) return;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("ito: ")) << outcome.err;
  EXPECT_EQ(outcome.err.find("::"), std::string::npos) << outcome.err;
  // What a huge learning rate does to the loss is told as that.
  if (option.whole) {
    EXPECT_TRUE(outcome.err.starts_with("ito: " + option.name)) << outcome.err;
  }
}

TEST_F(Sizes, ThatNoMachineHasAreRefusedByTheOption) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  const std::string sde = at("sde.json"), p = at("p.safetensors");
  const std::map<std::string, std::vector<std::string>> commands{
      {"init", {sde, "--out", at("i.safetensors")}},
      {"simulate", {sde, "--params", p, "--paths", "2", "--out", at("o.npz")}},
      {"gradient",
       {sde, "--params", p, "--paths", "2", "--loss", R"({"energy": 1})", "--out", at("g")}},
      {"fit",
       {at("latent.json"), at("data.csv"), "--out", at("f"), "--overwrite", "--epochs", "1",
        "--quiet", "--evaluation-samples", "16", "--threads", "1"}},
      {"evaluate", {at("fit"), at("data.csv"), "--samples", "16"}},
      {"sample", {at("fit"), "--count", "2", "--out", at("s.csv")}}};
  for (const auto& [command, base] : commands) {
    const std::vector<NumberOption> options = number_options(command);
    EXPECT_FALSE(options.empty()) << command;
    for (const NumberOption& option : options) {
      for (const std::string& value : wild) {
        std::vector<std::string> arguments = base;
        arguments.insert(arguments.begin(), command);
        arguments.insert(arguments.end(), {option.name, value});
        SCOPED_TRACE(fmt::format("{} {} {}", command, option.name, value));
        expect_told(run(arguments), option);
      }
    }
  }
}

/// Those of studies run for minutes where they are accepted, as every seed is.
TEST_F(Sizes, ThatNoMachineHasAreRefusedByStudies) {
  for (const std::string command : {"study", "orders", "gradients"}) {
    for (const NumberOption& option : number_options(command)) {
      if (option.name == "--seed") continue;
      for (const std::string& value : wild) {
        const std::vector<std::string> arguments{command, "--out", at("study"), option.name, value};
        SCOPED_TRACE(fmt::format("{} {} {}", command, option.name, value));
        expect_error(run(arguments), 2, {option.name + ": got"});
      }
    }
  }
}

TEST_F(Sizes, OfTooManySamplesForAGradientAreRefusedWithTheMostThatFit) {
  const Outcome outcome = run(fit_arguments({"--samples", "160000000", "--quiet"}));
  expect_error(outcome, 1, {"--samples: got 160000000", "accepted: up to ", "this model"});
  EXPECT_EQ(outcome.err.find("workspace"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "fit"));
}

TEST_F(Sizes, OfSamplesTimesObservationsStayBelowTheNoisesIndices) {
  // 8 observations are held out of 24.
  expect_error(run(fit_arguments({"--held-out-samples", "1073741840"})), 1,
               {"--held-out-samples: got 1073741840 for each of 8", "up to 1073741824"});
  expect_error(run(fit_arguments({"--evaluation-samples", "1073741840"})), 1,
               {"--evaluation-samples: got 1073741840 for each of 8", "up to 1073741824"});
}

TEST_F(Sizes, OfRequestsAreRefusedByTheOption) {
  expect_error(run(simulate(at("sde.json"), {"--paths", "2", "--first-path", "8589934591"})), 1,
               {"--first-path: got 8589934591 with 2 paths", "up to 8589934590"});
}

TEST_F(Sizes, OfModelsAreRefusedByTheField) {
  const std::string sde = R"({"state": 1, "horizon": 1.0, "steps": 4, )";
  const std::vector<std::pair<std::string, std::string>> models{
      {R"({"state": 4294967297, "horizon": 1.0, "steps": 4})", "state"},
      {R"({"state": 1e30, "horizon": 1.0, "steps": 4})", "state"},
      {R"({"state": 1, "horizon": 1.0, "steps": 2147483648})", "steps"},
      {R"({"state": 1, "horizon": 1.0, "steps": -1})", "steps"},
      {R"({"state": 1, "horizon": 1.0, "steps": 18446744073709551617})", "steps"},
      {sde + R"("noise": 9223372036854775808})", "noise"},
      {sde + R"("save": [4294967296]})", "save[0]"},
      {sde + R"("drift": {"kind": "mlp", "hidden": [100000, 100000]}})", "drift.hidden[0]"},
      {sde + R"("control": {"kind": "feedback", "context": 4294967297}})", "control.context"},
      {sde + R"("observed": 4294967297, "likelihood": {"kind": "gaussian"}})", "observed"},
      {sde + R"("observed": 1, "likelihood": {"kind": "binomial", "count": 4294967297}})",
       "likelihood.count"}};
  for (const auto& [model, field] : models) {
    write(folder / "wild.json", model);
    SCOPED_TRACE(model);
    expect_error(run({"init", at("wild.json"), "--out", at("i.safetensors")}), 1, {field});
  }
}

/// What is written is 1001 states, E, M and a status a path, 4013 bytes; 2^33 of them, 32 104 GiB.
TEST_F(Sizes, OfResultsBeyondTheMachinesMemoryAreRefusedWithTheirBytes) {
  std::string save = "0";
  for (int k = 1; k <= 1000; ++k) save += fmt::format(",{}", k);
  write(folder / "long.json",
        fmt::format(R"({{"state": 1, "horizon": 1.0, "steps": 1000, "save": [{}]}})", save));
  ASSERT_EQ(run({"init", at("long.json"), "--out", at("p.safetensors")}).status, 0);
  const std::vector<std::string> all{"--paths", "8589934592"};
  expect_error(run(simulate(at("long.json"), all)), 1,
               {"--paths: got 8589934592, whose results take 32104.0 GiB, in all 32104.0 GiB"});
  expect_error(run(simulate(at("long.json"), {all[0], all[1], "--intervals"})), 1,
               {"--paths: got 8589934592, whose results take 96168.0 GiB, in all 96168.0 GiB"});
}

TEST_F(Sizes, OfAGradientBeyondTheMachinesMemoryAreRefused) {
  write(folder / "wide.json", R"({"state": 1024, "horizon": 1.0, "steps": 4})");
  ASSERT_EQ(run({"init", at("wide.json"), "--out", at("p.safetensors")}).status, 0);
  // 3 numbers of 4 bytes a channel: states, their cotangents and the gradient by X_0.
  expect_error(run({"gradient", at("wide.json"), "--params", at("p.safetensors"), "--paths",
                    "8589934592", "--loss", R"({"state": 1})", "--out", at("g")}),
               1, {"--paths: got 8589934592, which takes 98440.0 GiB of memory"});
}

TEST_F(Sizes, OfAGradientsMemoryDoNotGrowWithSavedStatesThatItsLossDoesNotSee) {
  const auto peak = [&](const std::string& save) {
    write(folder / "g.json", R"({"state": 1, "horizon": 1.0, "steps": 64, "save": )" + save + "}");
    run({"init", at("g.json"), "--out", at("p.safetensors")});
    const Outcome outcome =
        run({"gradient", at("g.json"), "--params", at("p.safetensors"), "--paths", "100000",
             "--loss", R"({"state": 1})", "--threads", "1", "--json", "--out", at("g")});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out)["peak_memory"].get<double>();
  };
  std::string all = "[0";
  for (int k = 1; k <= 64; ++k) all += fmt::format(",{}", k);
  const double least = peak("[64]");
  if (least == 0) GTEST_SKIP() << "the system does not say how much memory a program takes";
  // The 64 other states of all paths are 26 MB, and their cotangents as much.
  EXPECT_LE(peak(all + "]"), least + 5e6);
}

}  // namespace
