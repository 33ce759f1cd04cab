#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace fs = std::filesystem;

namespace {

using Fit = ProgramTest;
using Json = nlohmann::json;

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(Fit, LeavesAllItsFilesAndNoOthers) {
  const Outcome outcome = run(fit_arguments({"--epochs", "3", "--json", "--quiet"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  std::vector<std::string> names;
  for (const auto& [name, contents] : snapshot(folder / "fit")) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"average.safetensors", "checkpoint.safetensors",
                                      "history.csv", "last.safetensors", "model.json",
                                      "parameters.safetensors", "report.html", "summary.json"}));
  EXPECT_EQ(Json::parse(outcome.out), Json::parse(read(folder / "fit/summary.json")));
  EXPECT_EQ(lines(read(folder / "fit/history.csv")), 4u);
  const ito::LatentModel latent = ito::parse_latent_model(read(folder / "fit/model.json"));
  EXPECT_EQ(ito::to_json(latent), ito::to_json(ito::parse_latent_model(small_latent_model)));
  EXPECT_NO_THROW(
      ito::load_safetensors(ito::zero_parameters(latent), folder / "fit/parameters.safetensors"));
}

TEST_F(Fit, TrainsAndEvaluatesAsTheLibraryDoes) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "3", "--quiet", "--objective", "sticking-the-landing",
                               "--schedule", "exponential", "--decay", "0.8", "--learning-rate",
                               "0.01", "--energy-weight", "0.5", "--annealing-epochs", "0.5",
                               "--annealing-cycles", "2"}))
                .status,
            0);
  const ito::LatentModel latent = ito::parse_latent_model(small_latent_model);
  const ito::Dataset data = ito::read_dataset(folder / "data.csv");
  ito::FitOptions options{
      .epochs = 3, .batch = 8, .learning_rate = 0.01, .execution = {.threads = 1}};
  options.objective = ito::Objective::sticking_the_landing;
  options.schedule = ito::Schedule::exponential;
  options.decay = 0.8;
  options.energy_weight = 0.5;
  options.annealing_epochs = 0.5;
  options.annealing_cycles = 2;
  const ito::FitResult fitted = ito::fit(latent, options, data.slice(0, 16), data.slice(16, 24));
  ito::save_safetensors(fitted.parameters, folder / "library.safetensors");
  EXPECT_EQ(read(folder / "fit/parameters.safetensors"), read(folder / "library.safetensors"));

  const Json summary = Json::parse(read(folder / "fit/summary.json"));
  for (const auto& [name, value] : {std::pair{"schedule", "exponential"},
                                    {"decay", "0.8"},
                                    {"energy weight", "0.5"},
                                    {"annealing cycles", "2"}})
    EXPECT_EQ(summary["settings"][name], value);
  const ito::Evaluation result =
      ito::evaluate(latent, fitted.parameters, {.samples = 16, .seed = 1}, data.slice(16, 24));
  EXPECT_EQ(summary["elbo"].get<double>(), result.elbo);
  EXPECT_EQ(summary["iwae"].get<double>(), result.iwae);
}

TEST_F(Fit, TakesHeldOutRowsFromAFileAsFromTheEnd) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "2", "--quiet"})).status, 0);
  const std::string data = read(folder / "data.csv");
  std::size_t place = 0;
  for (int line = 0; line < 17; ++line) place = data.find('\n', place) + 1;
  write(folder / "training.csv", data.substr(0, place));
  write(folder / "held-out.csv", data.substr(place));
  ASSERT_EQ(run({"fit", at("latent.json"), at("training.csv"), "--held-out-data",
                 at("held-out.csv"), "--out", at("other"), "--batch", "8", "--threads", "1",
                 "--evaluation-samples", "16", "--epochs", "2", "--quiet"})
                .status,
            0);
  for (const char* name : {"parameters.safetensors", "history.csv"})
    EXPECT_EQ(read(folder / "fit" / name), read(folder / "other" / name)) << name;
}

TEST_F(Fit, RefusesAFolderThatHoldsAFit) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  const auto before = snapshot(folder);
  expect_error(run(fit_arguments({"--epochs", "2", "--quiet"})), 1,
               {"--out", "--resume", "--overwrite"});
  EXPECT_EQ(snapshot(folder), before);
}

TEST_F(Fit, ThatFailsBeforeItsFirstCheckpointLeavesNothing) {
  std::string json = small_latent_model;
  json.replace(json.find("\"scale\": 0.5"), 12, "\"scale\": 1e-30");
  write(folder / "tiny.json", json);
  const auto before = snapshot(folder);
  const auto fit_into = [&](const std::string& out, const std::string& more) {
    return run({"fit", at("tiny.json"), at("data.csv"), "--out", at(out), more});
  };
  EXPECT_EQ(fit_into("made/for/it", "--quiet").status, 1);
  EXPECT_FALSE(fs::exists(folder / "made"));
  fs::create_directory(folder / "mine");
  EXPECT_EQ(fit_into("mine", "--resume").status, 1);
  EXPECT_TRUE(fs::is_empty(folder / "mine"));
  EXPECT_EQ(snapshot(folder), before);
}

TEST_F(Fit, RefusesABaselineThatCannotBeFittedBeforeItTrains) {
  std::string json = small_latent_model;
  json.replace(json.find("\"observed\": 3"), 13, "\"observed\": 4097");
  write(folder / "latent.json", json);
  std::string data;
  for (int row = 0; row < 12; ++row)
    for (int column = 0; column < 4097; ++column)
      data += fmt::format("{}{}", (row + column) % 5, column < 4096 ? ',' : '\n');
  write(folder / "data.csv", data);
  expect_error(run(fit_arguments({"--compare", "--quiet"})), 1, {"4097", "up to 4096"});
  EXPECT_FALSE(fs::exists(folder / "fit"));
}

TEST_F(Fit, OverwritesItsOwnFilesAndNoOthers) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  write(folder / "fit/notes.txt", "mine");
  ASSERT_EQ(run(fit_arguments({"--epochs", "2", "--quiet", "--overwrite"})).status, 0);
  EXPECT_EQ(read(folder / "fit/notes.txt"), "mine");
  EXPECT_EQ(lines(read(folder / "fit/history.csv")), 3u);
  EXPECT_FALSE(fs::exists(folder / "fit/unfinished"));
}

TEST_F(Fit, ThatFailsToOverwriteLeavesTheEarlierFitWhole) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  const auto before = snapshot(folder / "fit");
  // Everything fits but the report, which is written when the new fit is almost finished.
  const std::size_t limit = before.at("report.html").size() - 1000;
  ASSERT_LT(before.at("checkpoint.safetensors").size(), limit);
  expect_error(
      run(fit_arguments({"--epochs", "2", "--quiet", "--overwrite"}), {.file_size_limit = limit}),
      1, {"report.html", "File too large"});
  auto after = snapshot(folder / "fit");
  std::erase_if(after, [](const auto& file) { return file.first.starts_with("unfinished/"); });
  EXPECT_EQ(after, before);
  EXPECT_EQ(run({"evaluate", at("fit"), at("data.csv"), "--samples", "16"}).status, 0);
}

TEST_F(Fit, ComparesWithBaselinesTheNeuralSdeLast) {
  const Outcome outcome = run(fit_arguments({"--epochs", "2", "--compare", "--quiet"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json rows = Json::parse(read(folder / "fit/summary.json"))["comparison"];
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[3]["name"], "neural SDE");
  const ito::LatentModel latent = ito::parse_latent_model(small_latent_model);
  const ito::Dataset data = ito::read_dataset(folder / "data.csv");
  const ito::BaselineScore columns =
      ito::independent_columns(latent.likelihood, data.slice(0, 16), data.slice(16, 24));
  EXPECT_EQ(rows[0]["elbo"].get<double>(), columns.log_probability);
  EXPECT_EQ(rows[0]["elbo_error"].get<double>(), columns.log_probability_error);
  for (const Json& row : rows)
    EXPECT_NE(outcome.out.find(row["name"].get<std::string>()), std::string::npos);
  EXPECT_NE(outcome.out.find("all 3 baselines"), std::string::npos);
}

TEST_F(Fit, SaysItBeatsABaselineOnlyByMoreThanTwoStandardErrors) {
  const Outcome outcome = run(fit_arguments({"--epochs", "1", "--compare", "--quiet"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json rows = Json::parse(read(folder / "fit/summary.json"))["comparison"];
  for (const int baseline : {0, 1}) {
    const double gain = rows[3]["iwae"].get<double>() - rows[baseline]["iwae"].get<double>();
    const double error =
        std::hypot(rows[3]["iwae_error"].get<double>(), rows[baseline]["iwae_error"].get<double>());
    const std::string relation = gain > 2 * error    ? "beats "
                                 : gain < -2 * error ? "is worse than "
                                                     : "is not told apart from ";
    const std::string line =
        "neural SDE " + relation + rows[baseline]["name"].get<std::string>() + ":";
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << " is not in " << outcome.out;
  }
}

TEST_F(Fit, WithoutHeldOutDataEvaluatesOnTheTrainingData) {
  ASSERT_EQ(run({"fit", at("latent.json"), at("data.csv"), "--out", at("fit"), "--epochs", "1",
                 "--evaluation-samples", "16", "--quiet"})
                .status,
            0);
  const Json summary = Json::parse(read(folder / "fit/summary.json"));
  EXPECT_EQ(summary["evaluated_on"], "training");
  EXPECT_EQ(summary["observations"], 24);
  EXPECT_NE(read(folder / "fit/history.csv").find(",,,"), std::string::npos);
}

TEST_F(Fit, OfSequencesSucceeds) {
  std::string json = small_latent_model;
  json.replace(json.find("\"steps\": 6,"), 11, "\"steps\": 6, \"save\": [2, 4, 6],");
  json.replace(json.find("\"observed\": 3"), 13, "\"observed\": 1");
  write(folder / "latent.json", json);
  const Outcome outcome = run(fit_arguments({"--epochs", "1", "--quiet"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(read(folder / "fit/report.html").find("nats per sequence"), std::string::npos);
}

using Evaluate = ProgramTest;

TEST_F(Evaluate, PrintsTheLibrarysNumbersAsOneJsonObject) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  const Outcome outcome = run({"evaluate", at("fit"), at("data.csv"), "--samples", "32", "--seed",
                               "9", "--per-observation"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(lines(outcome.out), 1u);
  const Json object = Json::parse(outcome.out);
  const ito::LatentModel latent = ito::parse_latent_model(small_latent_model);
  const ito::Parameters parameters =
      ito::load_safetensors(ito::zero_parameters(latent), folder / "fit/parameters.safetensors");
  const ito::Evaluation result = ito::evaluate(latent, parameters, {.samples = 32, .seed = 9},
                                               ito::read_dataset(folder / "data.csv"));
  EXPECT_EQ(object["observations"], 24);
  EXPECT_EQ(object["elbo"].get<double>(), result.elbo);
  EXPECT_EQ(object["elbo_error"].get<double>(), result.elbo_error);
  EXPECT_EQ(object["iwae"].get<double>(), result.iwae);
  EXPECT_EQ(object["ess"].get<double>(), result.ess);
  EXPECT_EQ(object["energy"].get<double>(), result.energy);
  EXPECT_EQ(object["log_marginal_by_observation"].get<std::vector<double>>(), result.log_marginal);
}

/// A Brownian path, hardly seen at its end, whose control holds it near the origin `strength` times
/// as strongly as its distance: from 2 on the weights have infinite variance.
std::string hardly_seen_folder(const std::filesystem::path& folder, float strength) {
  ito::LatentModel latent;
  latent.model.grid = ito::uniform_grid(1.0, 16);
  latent.model.diffusion = ito::IdentityDiffusion{};
  latent.model.control = ito::FeedbackControl{.net = ito::Mlp{.time = false}};
  latent.likelihood = ito::Gaussian{.scale = 10};
  ito::Parameters parameters = ito::zero_parameters(latent);
  parameters["control.0.weight"][0] = -strength;
  std::filesystem::create_directory(folder);
  write(folder / "model.json", ito::to_json(latent));
  ito::save_safetensors(parameters, folder / "parameters.safetensors");
  return folder.string();
}

TEST_F(Evaluate, OfWeightsWithoutAVarianceGivesNoErrorAndWarns) {
  write(folder / "y.csv", "0.0\n0.5\n-1\n");
  const std::string held = hardly_seen_folder(folder / "held", 4);
  const Outcome outcome = run({"evaluate", held, at("y.csv"), "--samples", "1024"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json object = Json::parse(outcome.out);
  EXPECT_GT(object["tail_shape"].get<double>(), 0.7);
  EXPECT_NEAR(object["tail_shape_limit"].get<double>(), 1 - 1 / std::log10(1024.0), 1e-12);
  EXPECT_GT(object["tail_shape_above"].get<double>(), 0.5);
  EXPECT_TRUE(object["log_marginal_error"].is_null());
  EXPECT_TRUE(object["log_marginal_smoothed_error"].is_null());
  const std::string read = fmt::format("ito: {}: 3 observations; line 1 is data\n", at("y.csv"));
  EXPECT_EQ(read + "ito: warning: " + object["warning"].get<std::string>() + "\n", outcome.err);

  const std::string free = hardly_seen_folder(folder / "free", 0);
  const Outcome trusted = run({"evaluate", free, at("y.csv"), "--samples", "1024"});
  ASSERT_EQ(trusted.status, 0) << trusted.err;
  const Json numbers = Json::parse(trusted.out);
  EXPECT_LT(numbers["tail_shape"].get<double>(), 0.5);
  EXPECT_TRUE(numbers["log_marginal_error"].is_number());
  EXPECT_TRUE(numbers["log_marginal_smoothed_error"].is_number());
  EXPECT_FALSE(numbers.contains("warning"));
  EXPECT_EQ(trusted.err, read);

  const Outcome few = run({"evaluate", held, at("y.csv"), "--samples", "16"});
  ASSERT_EQ(few.status, 0) << few.err;
  EXPECT_TRUE(Json::parse(few.out)["tail_shape"].is_null());
}

// The exact values are mpmath's, in 40 digits. The CPU's η is the float32 nearest: half an ulp of
// it changes log p by up to 5e-4 nats.
TEST_F(Evaluate, KeepsTheDigitsOfLargeCounts) {
  struct Case {
    int count, y;
    double eta, exact;
  };
  const std::vector<Case> cases{{1000000, 500000, 0.001, -7.25854687642},
                                {16777216, 5033164, -0.85, -21.3120644899},
                                {4000000, 1200000, -0.85, -10.8050664065}};
  for (const Case& one : cases) {
    ito::LatentModel latent;
    latent.model.grid = {0.0, 1.0};
    latent.model.initial = ito::PointInitial{{one.eta}};
    latent.model.diffusion = ito::IdentityDiffusion{0};
    latent.likelihood = ito::Binomial{one.count};
    const fs::path fit = folder / std::to_string(one.count);
    fs::create_directory(fit);
    write(fit / "model.json", ito::to_json(latent));
    ito::save_safetensors(ito::zero_parameters(latent), fit / "parameters.safetensors");
    write(folder / "y.csv", fmt::format("{}\n", one.y));
    for (const std::string device : {"cpu", "reference"}) {
      const Outcome outcome =
          run({"evaluate", fit.string(), at("y.csv"), "--samples", "16", "--device", device});
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      const double elbo = Json::parse(outcome.out)["elbo"].get<double>();
      EXPECT_NEAR(elbo, one.exact, device == "cpu" ? 1e-3 : 1e-6) << device << " " << one.count;
    }
  }
}

using Sample = ProgramTest;

TEST_F(Sample, WritesCountsInTheLikelihoodsRangeThatCanBeReadAsData) {
  std::string json = small_latent_model;
  const std::string gaussian = R"("kind": "gaussian", "scale": 0.5, "learned": true)";
  json.replace(json.find(gaussian), gaussian.size(), R"("kind": "binomial", "count": 4)");
  write(folder / "latent.json", json);
  std::string data;
  for (int i = 0; i < 24; ++i) data += fmt::format("{},{},{}\n", i % 5, (i * 3) % 5, i % 2);
  write(folder / "data.csv", data);
  ASSERT_EQ(run(fit_arguments({"--epochs", "2", "--quiet"})).status, 0);

  const auto draw = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"sample", at("fit"), "--count", "50", "--out", at(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(run(arguments).status, 0);
    return ito::read_dataset(at(name));
  };
  const ito::Dataset drawn = draw("s.csv", {"--seed", "4"});
  ASSERT_EQ(drawn.count, 50u);
  ASSERT_EQ(drawn.dimension, 3u);
  for (const float value : drawn.values) {
    EXPECT_EQ(value, std::floor(value));
    EXPECT_GE(value, 0.0f);
    EXPECT_LE(value, 4.0f);
  }
  EXPECT_EQ(drawn.values, draw("again.csv", {"--seed", "4"}).values);
  EXPECT_NE(drawn.values, draw("other.csv", {"--seed", "5"}).values);
  EXPECT_EQ(drawn.values, draw("one.csv", {"--seed", "4", "--threads", "1"}).values);
  ASSERT_EQ(run({"init", at("latent.json"), "--out", at("p.safetensors")}).status, 0);
  EXPECT_NE(drawn.values, draw("p.csv", {"--seed", "4", "--params", at("p.safetensors")}).values);
  const ito::Dataset means = draw("mean.csv", {"--seed", "4", "--mean"});
  for (const float value : means.values) {
    EXPECT_GT(value, 0.0f);
    EXPECT_LT(value, 4.0f);
  }
}

}  // namespace
