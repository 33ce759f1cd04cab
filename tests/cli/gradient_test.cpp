#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"

namespace {

class GradientCommand : public ProgramTest {
 protected:
  GradientCommand() {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      parameters.values()[i] += 0.1f * static_cast<float>(i % 5) - 0.2f;
    ito::save_safetensors(parameters, at("p.safetensors"));
    wide.assign(parameters.values().begin(), parameters.values().end());
  }

  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"gradient", at("sde.json"),
                                 "--params", at("p.safetensors"),
                                 "--paths",  "20",
                                 "--seed",   "3",
                                 "--out",    at("g.safetensors")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// All parameters' gradient in the file, in the model's order.
  std::vector<double> written() const {
    std::vector<double> values(parameters.size());
    for (const ito::Array& array : ito::read_safetensors(at("g.safetensors")).arrays)
      for (const ito::Tensor& tensor : parameters.tensors())
        if (tensor.name == array.name) {
          const std::vector<double> part = array.values<double>();
          EXPECT_EQ(array.shape, tensor.shape);
          std::copy(part.begin(), part.end(),
                    values.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
        }
    return values;
  }

  ito::Model model = ito::parse_model(small_sde);
  ito::Parameters parameters = ito::initialize(model, 2);
  std::vector<double> wide;
};

const char* const loss = R"({"state": 0.7, "energy": -1.5, "martingale": 0.4})";

TEST_F(GradientCommand, WritesWhatTheLibraryComputes) {
  struct Case {
    std::vector<std::string> flags;
    ito::AdjointOptions options;
  };
  for (const Case& one :
       {Case{{}, {}}, Case{{"--detach-state"}, {.detach_state = true}},
        Case{{"--detach-martingale-parameters"}, {.detach_martingale_parameters = true}}}) {
    std::vector<std::string> more{"--loss", loss, "--device", "reference", "--json"};
    more.insert(more.end(), one.flags.begin(), one.flags.end());
    const Outcome outcome = run(arguments(more));
    ASSERT_EQ(outcome.status, 0) << outcome.err;

    ito::DoublePlan plan(model, ito::Device::reference());
    const ito::DoubleRecording recording = plan.record(wide, {.paths = 20, .seed = 3});
    const ito::DoublePaths& paths = recording.paths();
    std::vector<double> states(20 * 3 * 2), energy(20, -1.5 / 20), martingale(20, 0.4 / 20);
    double value = 0;
    for (std::size_t i = 0; i < 20; ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        const double x = paths.states()[(i * 3 + 2) * 2 + j];
        states[(i * 3 + 2) * 2 + j] = 0.7 * x / 20;
        value += 0.7 * 0.5 * x * x / 20;
      }
      value += (-1.5 * paths.energy()[i] + 0.4 * paths.martingale()[i]) / 20;
    }
    const ito::DoubleGradient gradient =
        plan.adjoint(wide, recording,
                     {.states = states, .energy = energy, .martingale = martingale}, one.options);
    const std::vector<double> got = written();
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], gradient.parameters[i], 1e-12 * (1 + std::abs(gradient.parameters[i])));
    EXPECT_NEAR(nlohmann::json::parse(outcome.out)["loss"].get<double>(), value, 1e-12);
  }
}

TEST_F(GradientCommand, OfAnX0ForAllPathsIsTheDerivativeOfTheLoss) {
  const auto loss_at = [&](double x) {
    const std::vector<double> x0{x, -0.5};
    ito::write_npy(at("x0.npy"), {"", {2}, std::span<const double>(x0)});
    const Outcome outcome =
        run(arguments({"--loss", loss, "--device", "reference", "--json", "--x0", at("x0.npy")}));
    return nlohmann::json::parse(outcome.out)["loss"].get<double>();
  };
  const double h = 1e-5;
  const double slope = (loss_at(0.3 + h) - loss_at(0.3 - h)) / (2 * h);
  loss_at(0.3);
  for (const ito::Array& array : ito::read_safetensors(at("g.safetensors")).arrays) {
    if (array.name != "x0") continue;
    EXPECT_EQ(array.shape, std::vector<std::size_t>{2});
    EXPECT_NEAR(array.values<double>()[0], slope, 1e-7 * std::abs(slope));
    return;
  }
  FAIL() << "no x0 in the file";
}

TEST_F(GradientCommand, IsTheSameFromCheckpointsInLessMemory) {
  ASSERT_EQ(run(arguments({"--loss", loss, "--device", "reference"})).status, 0);
  const std::vector<double> whole = written();
  ASSERT_EQ(
      run(arguments({"--loss", loss, "--device", "reference", "--workspace-limit", "4000"})).status,
      0);
  EXPECT_EQ(written(), whole);
  expect_error(run(arguments({"--loss", loss, "--workspace-limit", "1"})), 1, {"workspace"});
}

TEST_F(GradientCommand, RefusesLossesItCannotRead) {
  for (const char* spec :
       {"", "3", "{}", R"({"states": 1})", R"({"state": "x"})", R"({"state": 1)"})
    expect_error(run(arguments({"--loss", spec})), 2, {"--loss"});
}

TEST_F(GradientCommand, NeedsTheEndAmongTheSaveSteps) {
  std::string json = small_sde;
  json.replace(json.find("[0, 4, 8]"), 9, "[0, 4, 7]");
  write(folder / "sde.json", json);
  expect_error(run(arguments({"--loss", loss})), 1, {"save", "7", "8"});
}

TEST_F(GradientCommand, TakesASolverAndAMethod) {
  const auto gradient = [&](const std::string& solver, const std::string& method) {
    const Outcome outcome = run(arguments(
        {"--loss", loss, "--device", "reference", "--solver", solver, "--method", method}));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return written();
  };
  for (const ito::Solver solver : {ito::Solver::heun, ito::Solver::reversible_heun}) {
    const std::string name(ito::name(solver));
    const std::vector<double> exact = gradient(name, "adjoint");
    EXPECT_NE(exact, gradient("euler-maruyama", "adjoint"));
    // The same discrete gradient by another route, to rounding.
    const std::vector<double> pathwise = gradient(name, "pathwise");
    for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(exact[i], pathwise[i], 1e-10);
  }
  const Outcome refused = run(arguments({"--loss", loss, "--method", "reversible"}));
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("reversible-heun"), std::string::npos) << refused.err;
}

TEST_F(GradientCommand, OfEverySolverIsInTheTable) {
  const Outcome outcome = run({"solvers", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto table = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(table["solvers"].size(), ito::solvers().size());
  for (std::size_t i = 0; i < ito::solvers().size(); ++i) {
    EXPECT_EQ(table["solvers"][i]["name"], std::string(ito::solvers()[i].name));
  }
  EXPECT_EQ(table["methods"].size(), ito::gradient_methods().size());
}

}  // namespace
