#include <cmath>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace {

using Study = ProgramTest;

TEST_F(Study, OfTheDiffusionLimitLiesOnTheClosedFormsSlow) {
  const Outcome outcome = run({"study", "diffusion-limit", "--effort", "0.2", "--seeds", "1",
                               "--out", (folder / "study").string()});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto numbers = nlohmann::json::parse(read(folder / "study/study.json"));
  const auto& curves = numbers["parts"]["diffusion-limit"]["random_walk"]["curves"];
  ASSERT_EQ(curves.size(), 3u);
  // s² = ½, d = 1. Mean field: 0 at one layer; open loop: the same at all depths; feedback: the
  // known Euler gaps of one step and of 64.
  const double limit = 0.5 * std::log(3.0);
  EXPECT_NEAR(curves[0]["points"][0]["closed_form"], 0.0, 1e-12);
  for (const auto& point : curves[1]["points"]) {
    EXPECT_NEAR(point["closed_form"], 1 - limit, 1e-12);
  }
  EXPECT_NEAR(curves[2]["points"][0]["closed_form"], 0.45069, 5e-6);
  for (const auto& curve : curves) {
    for (const auto& point : curve["points"]) {
      const double k = point["k"], gap = point["gap"], error = point["error"];
      if (curve == curves[0]) {
        EXPECT_NEAR(point["closed_form"], 0.5 * k * std::log1p(2 / k) - limit, 1e-12);
      }
      // What training leaves is not negative and of second order.
      EXPECT_GT(gap, static_cast<double>(point["closed_form"]) - 4 * error - 1e-3) << point;
      EXPECT_LT(gap, static_cast<double>(point["closed_form"]) + 4 * error + 0.05) << point;
    }
  }
  const std::string page = read(folder / "study/report.html");
  EXPECT_NE(page.find("1. The diffusion limit"), std::string::npos);
  EXPECT_EQ(page.find("2. The paper"), std::string::npos);
}

TEST_F(Study, IsTheSameForAnyNumberOfThreads) {
  const auto numbers = [&](const char* threads) {
    const Outcome outcome = run({"study", "paper", "--effort", "0.01", "--seeds", "1", "--threads",
                                 threads, "--out", (folder / threads).string()});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    auto json = nlohmann::json::parse(read(folder / threads / "study.json"));
    for (auto& part : json["parts"]) part.erase("seconds");
    return json;
  };
  const auto one = numbers("1");
  EXPECT_EQ(one, numbers("3"));
  // Backpropagation and pathwise derivatives train the same control, up to float32's rounding.
  EXPECT_LT(one["parts"]["paper"]["route_difference"].get<double>(), 1e-4);
}

TEST_F(Study, DrawsEveryFigureSlow) {
  const std::string out = (folder / "study").string();
  const Outcome outcome =
      run({"study", "--effort", "0.001", "--seeds", "1", "--out", out}, {.gnuplot = true});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string page = read(folder / "study/report.html");
  EXPECT_EQ(page.find("could not be drawn"), std::string::npos);
  EXPECT_NE(page.find("<img"), std::string::npos);
  for (const char* title : {"1. The diffusion limit", "2. The paper", "3. Expressivity",
                            "4. Samplers", "5. Inference quality"})
    EXPECT_NE(page.find(title), std::string::npos) << title;
}

TEST_F(Study, RefusesWhatMakesNoSense) {
  const std::string out = (folder / "study").string();
  EXPECT_EQ(run({"study", "everything", "--out", out}).status, 2);
  const Outcome effort = run({"study", "paper", "--effort", "0", "--out", out});
  EXPECT_EQ(effort.status, 2);
  EXPECT_NE(effort.err.find("--effort"), std::string::npos) << effort.err;
  EXPECT_EQ(run({"study", "paper", "--seeds", "0", "--out", out}).status, 2);
  expect_error(run({"study", "paper", "--digits", at("none.csv"), "--out", out}), 1,
               {"--digits", "none.csv"});
  expect_error(run({"study", "paper", "--digits", at("data.csv"), "--out", out}), 1,
               {"--digits", "64"});
  EXPECT_FALSE(std::filesystem::exists(folder / "study"));
}

}  // namespace
