#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <ito/solver.hpp>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace {

using Orders = ProgramTest;

nlohmann::json numbers_of(const std::filesystem::path& folder, const std::string& command) {
  return nlohmann::json::parse(read(folder / command / (command + ".json")))["parts"];
}

/// Both orders of every pair of the table, on a closed form and on random nets, and none below.
TEST_F(Orders, AreTheDeclaredOnesOfEverySolverSlow) {
  const Outcome outcome = run({"orders", "--effort", "0.05", "--out", at("orders")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("Strong orders: "), std::string::npos) << outcome.out;
  const auto parts = numbers_of(folder, "orders");
  for (const char* part : {"strong", "weak"}) {
    std::multiset<std::string> measured;
    int unresolved = 0;
    for (const auto& pair : parts[part]["pairs"]) {
      measured.insert(std::string(pair["solver"]) + " " + std::string(pair["noise"]));
      if (pair["half_width"].is_null()) {
        ++unresolved;
        continue;
      }
      EXPECT_LT(pair["half_width"], part == std::string("strong") ? 0.25 : 0.9) << pair;
      EXPECT_NE(pair["verdict"], "below") << pair;
      if (pair.contains("limit_error")) {
        EXPECT_LT(std::abs(double{pair["limit_less_exact"]}), 4 * double{pair["limit_error"]})
            << pair;
      }
    }
    // Means under general noise want more paths than a test has.
    EXPECT_LE(unresolved, part == std::string("strong") ? 0 : 5);
    for (const ito::SolverProperties& solver : ito::solvers()) {
      for (const auto kind : {ito::NoiseKind::additive, ito::NoiseKind::scalar,
                              ito::NoiseKind::diagonal, ito::NoiseKind::general}) {
        const double order =
            part == std::string("strong") ? solver.strong_order(kind) : solver.weak_order(kind);
        const std::string pair = std::string(solver.name) + " " + std::string(name(kind));
        EXPECT_GE(measured.count(pair), order > 0 ? 2u : 0u) << pair;
      }
    }
  }
  // Euler–Maruyama is known to be no better than declared.
  for (const auto& pair : parts["strong"]["pairs"]) {
    if (pair["solver"] == "euler-maruyama") {
      EXPECT_EQ(pair["verdict"], "within") << pair;
    }
  }
  const auto& extrapolated = parts["weak"]["extrapolated"];
  EXPECT_LT(extrapolated["extrapolated_error"], 0.5 * double{extrapolated["error"]});
}

using Gradients = ProgramTest;

TEST_F(Gradients, ConvergeToTheExactOneOrEqualItSlow) {
  const Outcome outcome =
      run({"gradients", "convergence", "reversal", "--effort", "0.1", "--out", at("gradients")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto parts = numbers_of(folder, "gradients");
  ASSERT_EQ(parts["convergence"]["chains"].size(), 3u);
  for (const auto& chain : parts["convergence"]["chains"]) {
    EXPECT_GT(double{chain["order"]} - double{chain["half_width"]}, 0.35) << chain;
    EXPECT_LT(chain["off_chain"].back()["error"], 0.05) << chain;
    EXPECT_LT(chain["bias"].back()["error"], 0.02) << chain;
  }
  for (const auto& row : parts["reversal"]["rows"]) {
    EXPECT_LT(row["reversal_float32"], 1e-4) << row;
    EXPECT_LT(row["reversal_double"], 1e-11) << row;
    EXPECT_GT(row["stochastic_adjoint"], 1e-6) << row;  // what an inexact one looks like
  }
}

TEST_F(Gradients, AreRecommendedByWhatWasMeasured) {
  const Outcome outcome =
      run({"gradients", "routes", "--effort", "0.01", "--threads", "1", "--out", at("gradients")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto routes = numbers_of(folder, "gradients")["routes"];
  for (const auto& rule : routes["recommendation"])
    EXPECT_NE(outcome.out.find(std::string(rule)), std::string::npos) << rule;
  std::set<std::string> seen;
  for (const auto& [label, points] : routes["sweeps"].items()) {
    for (const auto& point : points) {
      const std::string route = point["route"];
      seen.insert(route);
      EXPECT_GT(point["seconds"], 0.0);
      EXPECT_GT(point["resident_bytes"], 1e6) << point;
      EXPECT_GT(point["noise"], 0.0);
      if (route != "stochastic-adjoint") {
        EXPECT_LT(point["off_chain"], 1e-4) << point;
      }
    }
  }
  for (const ito::GradientMethodProperties& method : ito::gradient_methods())
    EXPECT_TRUE(seen.contains(std::string(method.name))) << method.name;
}

TEST_F(Gradients, RefuseWhatMakesNoSense) {
  EXPECT_EQ(run({"gradients", "everything", "--out", at("x")}).status, 2);
  EXPECT_EQ(run({"orders", "--seeds", "3", "--out", at("x")}).status, 2);
  EXPECT_EQ(run({"orders", "--effort", "0", "--out", at("x")}).status, 2);
}

}  // namespace
