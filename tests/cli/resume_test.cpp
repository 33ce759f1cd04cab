// What a finished or broken-off fit can be used for: which of its parameters, a longer run, a
// start.
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace {

using Json = nlohmann::json;

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result{""};
  for (const char c : line) {
    if (c == ',')
      result.emplace_back();
    else
      result.back() += c;
  }
  return result;
}

/// The column of history.csv.
std::vector<std::string> column(const std::string& history, const std::string& name) {
  std::vector<std::string> result;
  std::size_t place = 0, index = 0;
  while (place < history.size()) {
    const std::size_t end = history.find('\n', place);
    const std::vector<std::string> row = cells(history.substr(place, end - place));
    if (place == 0)
      index = static_cast<std::size_t>(std::ranges::find(row, name) - row.begin());
    else
      result.push_back(row.at(index));
    place = end + 1;
  }
  return result;
}

class FittedParameters : public ProgramTest {
 protected:
  double elbo(const std::string& parameters) const {
    const Outcome outcome = run({"evaluate", at("fit"), at("held-out.csv"), "--samples", "16",
                                 "--seed", "1", "--params", parameters});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Json::parse(outcome.out)["elbo"].get<double>();
  }
};

TEST_F(FittedParameters, AreTheAverageAndTheLastAndByDefaultTheBetterOnHeldOutData) {
  const std::string data = read(folder / "data.csv");
  std::size_t place = 0;
  for (int line = 0; line < 17; ++line) place = data.find('\n', place) + 1;
  write(folder / "held-out.csv", "a,b,c\n" + data.substr(place));
  ASSERT_EQ(run(fit_arguments({"--epochs", "4", "--quiet"})).status, 0);
  const Json summary = Json::parse(read(folder / "fit/summary.json"));
  const std::string chosen = summary["default_parameters"].get<std::string>();
  const std::string other = chosen == "last" ? "average" : "last";
  EXPECT_EQ(summary["other_parameters"]["name"], other);
  EXPECT_EQ(elbo("default"), summary["elbo"].get<double>());
  EXPECT_EQ(elbo(chosen), summary["elbo"].get<double>());
  EXPECT_EQ(elbo(other), summary["other_parameters"]["elbo"].get<double>());
  EXPECT_EQ(elbo(at("fit/last.safetensors")), elbo("last"));
  EXPECT_GT(elbo(chosen), elbo(other)) << "as many paths here as in training, other noise";
  std::vector<std::string> drawn;
  for (const std::string& which : {std::string("average"), std::string("last")}) {
    ASSERT_EQ(
        run({"sample", at("fit"), "--count", "3", "--out", at("s.csv"), "--params", which}).status,
        0);
    drawn.push_back(read(folder / "s.csv"));
  }
  EXPECT_NE(drawn[0], drawn[1]);
}

TEST_F(FittedParameters, AreBothReportedWhereTheirBoundsDifferByMoreThanTheirErrors) {
  for (const auto& [rate, told] : {std::pair{"1", true}, std::pair{"0.003", false}}) {
    const Outcome outcome = run(fit_arguments({"--epochs", "20", "--schedule", "constant",
                                               "--learning-rate", rate, "--quiet", "--overwrite"}));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Json ours = Json::parse(read(folder / "fit/summary.json"));
    const Json theirs = ours["other_parameters"];
    const auto number = [](const Json& object, const char* key) {
      return object[key].get<double>();
    };
    const bool apart = std::abs(number(ours, "elbo") - number(theirs, "elbo")) >
                       std::hypot(number(ours, "elbo_error"), number(theirs, "elbo_error"));
    EXPECT_EQ(apart, told) << "a case of the other kind";
    const std::string line = "--params " + theirs["name"].get<std::string>();
    EXPECT_EQ(outcome.out.find(line) != std::string::npos, told) << outcome.out;
    EXPECT_EQ(read(folder / "fit/report.html").find(line) != std::string::npos, told);
  }
}

TEST_F(FittedParameters, ThatAFolderDoesNotHaveAreRefusedByWhatItHas) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  std::filesystem::remove(folder / "fit/last.safetensors");
  expect_error(run({"evaluate", at("fit"), at("data.csv"), "--params", "last"}), 1,
               {"--params: got 'last'", "'default'"});
  EXPECT_EQ(run({"evaluate", at("fit"), at("data.csv"), "--params", "default"}).status, 0);
}

class Patience : public FittedParameters {
 protected:
  /// A fit that is soon no better, with steps that are too large.
  Outcome fit(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"--epochs",        "60", "--schedule", "constant",
                                       "--learning-rate", "1",  "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(fit_arguments(arguments));
  }
  Json summary() const { return Json::parse(read(folder / "fit/summary.json")); }
};

TEST_F(Patience, EndsAFitEarlyAndKeepsItsBestEpochsParameters) {
  const Outcome outcome = fit({"--patience", "3", "--checkpoint-every", "50"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json told = summary();
  const std::size_t epochs = told["epochs"], best = told["best_epoch"];
  EXPECT_EQ(told["stopped_early"], true);
  EXPECT_EQ(epochs, best + 3);
  EXPECT_EQ(told["settings"]["patience"], "3");
  EXPECT_EQ(told["default_parameters"], "best");
  EXPECT_EQ(told["other_parameters"]["name"], "average");
  const std::string sentence = fmt::format(
      "stopped early after epoch {}; the parameters of epoch {} are kept", epochs, best);
  EXPECT_NE(outcome.out.find(sentence), std::string::npos) << outcome.out;
  EXPECT_NE(read(folder / "fit/report.html").find(sentence), std::string::npos);
  const std::string history = read(folder / "fit/history.csv");
  std::vector<std::string> kept(epochs, "0");
  kept[best - 1] = "1";
  EXPECT_EQ(column(history, "kept"), kept);
  std::vector<double> bounds;
  for (const std::string& bound : column(history, "held_out_elbo"))
    bounds.push_back(std::stod(bound));
  EXPECT_EQ(std::ranges::max_element(bounds) - bounds.begin(), static_cast<long>(best) - 1);

  EXPECT_EQ(read(folder / "fit/best.safetensors"), read(folder / "fit/parameters.safetensors"));
  EXPECT_NE(read(folder / "fit/best.safetensors"), read(folder / "fit/average.safetensors"));
  const auto evaluated = [&](const std::string& which) {
    const Outcome one =
        run({"evaluate", at("fit"), at("data.csv"), "--samples", "16", "--params", which});
    return Json::parse(one.out)["elbo"].get<double>();
  };
  EXPECT_EQ(evaluated("best"), evaluated("default"));
  EXPECT_NE(evaluated("best"), evaluated("average"));
}

TEST_F(Patience, ThatWasShortGoesOnWhereThereIsMoreOfIt) {
  ASSERT_EQ(fit({"--patience", "1"}).status, 0);
  const auto before = snapshot(folder / "fit");
  const std::size_t first = summary()["epochs"];
  ASSERT_EQ(fit({"--patience", "1", "--resume"}).status, 0);
  for (const char* name : {"best.safetensors", "checkpoint.safetensors", "history.csv"})
    EXPECT_EQ(read(folder / "fit" / name), before.at(name)) << name;
  ASSERT_EQ(fit({"--patience", "5", "--resume"}).status, 0);
  EXPECT_GT(summary()["epochs"].get<std::size_t>(), first);
  const auto longer = snapshot(folder / "fit");
  ASSERT_EQ(fit({"--patience", "5", "--overwrite"}).status, 0);
  for (const char* name : {"best.safetensors", "last.safetensors", "history.csv"})
    EXPECT_EQ(read(folder / "fit" / name), longer.at(name)) << name;

  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet", "--overwrite"})).status, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "fit/best.safetensors"));
  expect_error(run({"evaluate", at("fit"), at("data.csv"), "--params", "best"}), 1,
               {"--params: got 'best', which this fit did not keep", "'default'"});
}

TEST_F(Patience, NeedsHeldOutData) {
  expect_error(
      run({"fit", at("latent.json"), at("data.csv"), "--out", at("fit"), "--patience", "2"}), 2,
      {"--patience: got no held-out data", "--held-out N"});
}

using LongerFit = ProgramTest;

TEST_F(LongerFit, NeedsTrainLongerUnderACosineAndSaysSoInTheHistory) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "3", "--quiet"})).status, 0);
  const auto before = snapshot(folder);
  expect_error(run(fit_arguments({"--epochs", "6", "--quiet", "--resume"})), 1,
               {"--epochs: got 6", "3", "--train-longer"});
  EXPECT_EQ(snapshot(folder), before);
  const std::vector<std::string> longer =
      fit_arguments({"--epochs", "6", "--quiet", "--resume", "--train-longer"});
  ASSERT_EQ(run(longer).status, 0) << "what the message offers";
  const std::string history = read(folder / "fit/history.csv");
  EXPECT_EQ(column(history, "plan"), (std::vector<std::string>{"1", "1", "1", "2", "2", "2"}));
  // Two steps an epoch, of which the first is the warm-up.
  const std::vector<std::string> rates = column(history, "learning_rate");
  EXPECT_LT(std::stod(rates[2]), 1e-4);
  EXPECT_GT(std::stod(rates[3]), 2e-3);
  EXPECT_NEAR(std::stod(rates[5]), 3e-5, 1e-9);
  const Json summary = Json::parse(read(folder / "fit/summary.json"));
  EXPECT_EQ(summary["settings"]["learning rate planned anew"], "in epoch 4");
  EXPECT_NE(read(folder / "fit/report.html").find("planned anew"), std::string::npos);

  const auto finished = snapshot(folder / "fit");
  ASSERT_EQ(run(fit_arguments({"--epochs", "6", "--quiet", "--resume"})).status, 0);
  for (const char* name : {"last.safetensors", "average.safetensors", "checkpoint.safetensors"})
    EXPECT_EQ(read(folder / "fit" / name), finished.at(name)) << name;
}

TEST_F(LongerFit, MakesTheBaselineOfAComparisonLongerToo) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--compare", "--quiet"})).status, 0);
  EXPECT_EQ(
      run(fit_arguments({"--epochs", "2", "--compare", "--quiet", "--resume", "--train-longer"}))
          .status,
      0);
}

TEST_F(LongerFit, IsAskedForWithResume) {
  expect_error(run(fit_arguments({"--train-longer"})), 2, {"--train-longer", "--resume"});
}

TEST_F(LongerFit, DoesNotReplaceAFitWhoseCheckpointIsGone) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  std::filesystem::remove(folder / "fit/checkpoint.safetensors");
  const auto before = snapshot(folder);
  expect_error(run(fit_arguments({"--epochs", "2", "--quiet", "--resume"})), 1,
               {"--resume", "checkpoint", "--overwrite"});
  EXPECT_EQ(snapshot(folder), before);
}

TEST_F(LongerFit, WithoutAnythingToGoOnWithBeginsAndSaysSo) {
  const Outcome outcome = run(fit_arguments({"--epochs", "1", "--resume", "--train-longer"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("no checkpoint in"), std::string::npos);
}

class StartedFit : public ProgramTest {
 protected:
  std::vector<std::string> into(const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = fit_arguments({"--epochs", "1", "--quiet"});
    arguments[4] = at(out);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(StartedFit, BeginsWithTheParametersOfAFolderOrAFile) {
  ASSERT_EQ(run(into("fit", {})).status, 0);
  // Too small a learning rate to move a float.
  const std::vector<std::string> still{"--learning-rate", "1e-30", "--start"};
  const auto with = [&](const std::string& start) {
    std::vector<std::string> arguments = still;
    arguments.push_back(start);
    return arguments;
  };
  ASSERT_EQ(run(into("by-folder", with(at("fit")))).status, 0);
  ASSERT_EQ(run(into("by-file", with(at("fit/parameters.safetensors")))).status, 0);
  for (const char* name : {"by-folder", "by-file"})
    EXPECT_EQ(read(folder / name / "last.safetensors"), read(folder / "fit/parameters.safetensors"))
        << name;
  ASSERT_EQ(run({"init", at("latent.json"), "--seed", "5", "--out", at("init.safetensors")}).status,
            0);
  ASSERT_EQ(run(into("by-init", with(at("init.safetensors")))).status, 0);
  const ito::Parameters layout =
      ito::zero_parameters(ito::parse_latent_model(read(folder / "latent.json")));
  const ito::Parameters given = ito::load_safetensors(layout, folder / "init.safetensors");
  const ito::Parameters kept = ito::load_safetensors(layout, folder / "by-init/last.safetensors");
  for (std::size_t p = 0; p < given.size(); ++p)
    EXPECT_NEAR(kept.values()[p], given.values()[p], 1e-29) << "zeros do move";
}

TEST_F(StartedFit, KeepsWhatIsFixed) {
  ASSERT_EQ(run({"init", at("latent.json"), "--seed", "5", "--out", at("init.safetensors")}).status,
            0);
  ASSERT_EQ(run(into("fit", {"--start", at("init.safetensors"), "--fixed", "drift,decoder.0.weight",
                             "--compare"}))
                .status,
            0);
  const ito::Parameters layout =
      ito::zero_parameters(ito::parse_latent_model(read(folder / "latent.json")));
  const ito::Parameters before = ito::load_safetensors(layout, folder / "init.safetensors");
  const ito::Parameters after = ito::load_safetensors(layout, folder / "fit/last.safetensors");
  for (const ito::Tensor& tensor : layout.tensors()) {
    const bool fixed = tensor.name.starts_with("drift.") || tensor.name == "decoder.0.weight";
    EXPECT_EQ(std::ranges::equal(before[tensor.name], after[tensor.name]), fixed) << tensor.name;
  }
  expect_error(run(into("other", {"--fixed", "drif"})), 1,
               {"--fixed: got \"drif\"", "drift.0.bias"});
  expect_error(run(into("other", {"--fixed", "drift,"})), 2, {"--fixed", "'drift,'"});
}

TEST_F(StartedFit, RefusesWhatDoesNotFitByName) {
  ASSERT_EQ(run({"init", at("sde.json"), "--out", at("sde.safetensors")}).status, 0);
  std::string wider = small_latent_model;
  wider.replace(wider.find("\"hidden\": [5]"), 13, "\"hidden\": [6]");
  write(folder / "wider.json", wider);
  ASSERT_EQ(run({"init", at("wider.json"), "--out", at("wider.safetensors")}).status, 0);
  std::filesystem::create_directory(folder / "empty");
  const auto before = snapshot(folder);
  expect_error(run(into("fit", {"--start", at("sde.safetensors")})), 1,
               {"sde.safetensors", "encoder.0.weight"});
  expect_error(run(into("fit", {"--start", at("wider.safetensors")})), 1,
               {"wider.safetensors", "control.0.weight", "shape [6, 5]", "shape [5, 5]"});
  expect_error(run(into("fit", {"--start", at("none")})), 1, {"--start: got", "none"});
  expect_error(run(into("fit", {"--start", at("empty")})), 1, {"--start: got", "empty"});
  expect_error(run(into("fit", {"--start", at("fit"), "--resume"})), 2, {"--start", "--resume"});
  EXPECT_EQ(snapshot(folder), before);
}

TEST_F(StartedFit, IsGoneOnWithWithoutItsStart) {
  ASSERT_EQ(run({"init", at("latent.json"), "--seed", "5", "--out", at("init.safetensors")}).status,
            0);
  ASSERT_EQ(run(into("fit", {"--start", at("init.safetensors")})).status, 0);
  EXPECT_EQ(run(into("fit", {"--resume"})).status, 0);
}

TEST_F(StartedFit, MayReplaceTheFitItStartsWith) {
  ASSERT_EQ(run(into("fit", {})).status, 0);
  EXPECT_EQ(run(into("fit", {"--start", at("fit"), "--overwrite"})).status, 0);
}

}  // namespace
