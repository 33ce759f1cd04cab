#include <cmath>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ito/ito.hpp>
#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace {

using Json = nlohmann::json;

constexpr const char* series_model = R"({
  "state": 2,
  "series": {"longest_step": 0.2},
  "initial": {"kind": "gaussian"},
  "drift": {"kind": "mlp", "hidden": [4]},
  "diffusion": {"kind": "identity", "scale": 0.3},
  "control": {"kind": "feedback", "hidden": [4], "context": 2},
  "observed": 2,
  "encoder": {"kind": "gru", "hidden": 4, "initial": true},
  "decoder": {"kind": "mlp", "hidden": []},
  "likelihood": {"kind": "gaussian", "scale": 0.5, "learned": true}
})";

/// Series 1 to `count`, of 6 to 9 times each in [0, 3], one number in seven missing.
std::string some_series(int count, const std::string& header = "time,b,series,a,note") {
  std::string text = header + "\n";
  for (int i = 1; i <= count; ++i)
    for (int k = 0; k < 6 + i % 4; ++k) {
      const double t = 0.3 * k + 0.05 * std::sin(5.0 * k + i);
      const bool missing = (k + i) % 7 == 3;
      text += fmt::format("{:.4f},{},{},{:.4f},0\n", t,
                          missing ? "" : fmt::format("{:.3f}", 20 + 5 * std::cos(t + i)), i,
                          std::sin(t + i));
    }
  return text;
}

/// A model of series and 12 of them in the test's folder.
class SeriesProgram : public ProgramTest {
 protected:
  SeriesProgram() {
    write(folder / "model.json", series_model);
    write(folder / "series.csv", some_series(12));
  }

  std::vector<std::string> fit_series(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"fit",
                                       at("model.json"),
                                       at("series.csv"),
                                       "--out",
                                       at("fit"),
                                       "--exclude",
                                       "note",
                                       "--held-out",
                                       "4",
                                       "--batch",
                                       "4",
                                       "--samples",
                                       "4",
                                       "--epochs",
                                       "2",
                                       "--threads",
                                       "1",
                                       "--evaluation-samples",
                                       "32",
                                       "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void make_fit() const {
    const Outcome outcome = run(fit_series({"--standardize"}));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  std::vector<std::string> on_fit(const std::string& command,
                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{command,     at("fit"),   at("series.csv"),
                                       "--exclude", "note",      "--threads",
                                       "1",         "--samples", "32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(SeriesProgram, FitKeepsColumnsAndStandardization) {
  const Outcome outcome =
      run(fit_series({"--standardize", "--forecast-after", "1", "--json"}), {.gnuplot = true});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const ito::SeriesModel model = ito::parse_series_model(read(folder / "fit/model.json"));
  EXPECT_EQ(model.columns, (std::vector<std::string>{"b", "a"}));
  ASSERT_TRUE(model.standardization);
  EXPECT_NEAR(model.standardization->mean[0], 20, 5);
  const Json summary = Json::parse(outcome.out);
  EXPECT_EQ(summary["observations"], 4);
  for (const char* key : {"mse", "crps", "coverage_90", "last_value_mse"})
    EXPECT_TRUE(summary["forecasts"][key].is_number()) << key;
  const std::string report = read(folder / "fit/report.html");
  for (const char* part : {"Forecasts after 1", "Does the posterior follow the series",
                           "Does what comes later lie where", "Could draws of the model"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

TEST_F(SeriesProgram, TrainsAndEvaluatesAsTheLibraryDoes) {
  make_fit();
  const ito::SeriesDataset data = ito::read_series(folder / "series.csv", {.exclude = {"note"}});
  std::vector<std::size_t> first{0, 1, 2, 3, 4, 5, 6, 7}, last{8, 9, 10, 11};
  const ito::SeriesSplit split{data.select(first), data.select(last)};
  ito::SeriesModel model = ito::parse_series_model(series_model);
  model.standardization = ito::fit_standardization(split.first);
  const ito::LatentSeriesSplit rows = ito::latent_series(model, split);
  const ito::FitResult fitted =
      ito::fit(rows.latent, {.epochs = 2, .batch = 4, .samples = 4, .execution = {.threads = 1}},
               rows.first, rows.second);
  ito::save_safetensors(fitted.parameters, folder / "library.safetensors");
  EXPECT_EQ(read(folder / "fit/parameters.safetensors"), read(folder / "library.safetensors"));

  const Outcome outcome = run(on_fit("evaluate"));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto [latent, all] = ito::latent_series(model, data);
  EXPECT_EQ(Json::parse(outcome.out)["iwae"].get<double>(),
            ito::evaluate(latent, fitted.parameters, {.samples = 32}, all).iwae);
}

TEST_F(SeriesProgram, AColumnsOrderChangesNothing) {
  make_fit();
  const Outcome one = run(on_fit("evaluate", {"--forecast-after", "1", "--hide", "0.2"}));
  ASSERT_EQ(one.status, 0) << one.err;
  ito::SeriesDataset data = ito::read_series(folder / "series.csv", {.exclude = {"note"}});
  ito::write_series_csv(folder / "series.csv", data.with_columns({"a", "b"}));
  const Outcome other = run({"evaluate", at("fit"), at("series.csv"), "--threads", "1", "--samples",
                             "32", "--forecast-after", "1", "--hide", "0.2"});
  ASSERT_EQ(other.status, 0) << other.err;
  EXPECT_EQ(one.out, other.out);
}

TEST_F(SeriesProgram, ForecastsAndImputesAsTheLibraryDoes) {
  make_fit();
  const ito::SeriesModel model = ito::parse_series_model(read(folder / "fit/model.json"));
  const ito::LatentModel& latent = model.latent;
  const ito::Parameters parameters =
      ito::load_safetensors(ito::zero_parameters(latent), folder / "fit/parameters.safetensors");
  const ito::SeriesDataset data = ito::read_series(folder / "series.csv", {.exclude = {"note"}});
  const Outcome forecast = run(on_fit(
      "forecast", {"--times", "3:4:0.5", "--quantiles", "0.1,0.9", "--out", at("forecast.csv")}));
  ASSERT_EQ(forecast.status, 0) << forecast.err;
  const std::string text = read(folder / "forecast.csv");
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "series,time,b_mean,b_std,b_q0.1,b_q0.9,a_mean,a_std,a_q0.1,a_q0.9");
  const auto expected = ito::forecast(model, parameters, data, std::vector{3.0, 3.5, 4.0},
                                      {.samples = 32, .quantiles = {0.1, 0.9}});
  const auto& one = expected[0];
  const std::string row = fmt::format("\n1,3,{},{},{},{},{},", one.mean[0], one.deviation[0],
                                      one.quantiles[0], one.quantiles[6], one.mean[1]);
  EXPECT_NE(text.find(row), std::string::npos) << row << " is not in " << text;

  const Outcome impute = run(on_fit("impute", {"--out", at("imputed.npz")}));
  ASSERT_EQ(impute.status, 0) << impute.err;
  const ito::SeriesDataset mean = ito::read_series(at("imputed.npz") + ":mean");
  // What was observed keeps its value; what was missing has one.
  ASSERT_EQ(mean.count(), data.count());
  for (std::size_t i = 0; i < data.count(); ++i)
    for (std::size_t j = 0; j < data.series[i].values.size(); ++j)
      if (std::isnan(data.series[i].values[j]))
        EXPECT_TRUE(std::isfinite(mean.series[i].values[j]));
      else
        EXPECT_FLOAT_EQ(mean.series[i].values[j], data.series[i].values[j]);
}

TEST_F(SeriesProgram, ForecastsTheLaterTimesOfTheData) {
  make_fit();
  const Outcome outcome = run(on_fit("forecast", {"--after", "1.5", "--out", "-"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string line;
  std::getline(lines, line);  // the header
  std::size_t rows = 0;
  for (; std::getline(lines, line); ++rows)
    EXPECT_GT(std::stod(line.substr(line.find(',') + 1)), 1.5) << line;
  EXPECT_GT(rows, 12u);
}

TEST_F(SeriesProgram, DrawsSeriesAtAnyTimes) {
  make_fit();
  const Outcome outcome =
      run({"sample", at("fit"), "--count", "3", "--times", "0,0.5,2", "--out", at("drawn.csv")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const ito::SeriesDataset drawn = ito::read_series(folder / "drawn.csv");
  EXPECT_EQ(drawn.count(), 3u);
  EXPECT_EQ(drawn.columns, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(drawn.series[2].times, (std::vector<double>{0, 0.5, 2}));
}

TEST_F(SeriesProgram, InputsAreKnownByNameAndAhead) {
  std::string json = series_model;
  json.replace(json.find("\"state\": 2,"), 11, "\"state\": 2, \"inputs\": 1,");
  write(folder / "model.json", json);
  const Outcome fit = run(fit_series({"--inputs", "a"}), {.gnuplot = true});
  ASSERT_EQ(fit.status, 1) << fit.out;  // one column is left
  EXPECT_NE(fit.err.find("1 columns; accepted: 2"), std::string::npos) << fit.err;
  std::string data = some_series(12, "time,b,series,a,push");
  write(folder / "series.csv", data);
  std::vector<std::string> arguments = fit_series({"--inputs", "push"});
  arguments.erase(arguments.begin() + 5, arguments.begin() + 7);  // without --exclude note
  const Outcome driven = run(arguments, {.gnuplot = true});
  ASSERT_EQ(driven.status, 0) << driven.err;
  EXPECT_EQ(read(folder / "fit/report.html").find("could not be drawn"), std::string::npos);
  const ito::SeriesModel model = ito::parse_series_model(read(folder / "fit/model.json"));
  EXPECT_EQ(model.input_columns, (std::vector<std::string>{"push"}));
  ASSERT_EQ(run({"sample", at("fit"), "--like", at("series.csv"), "--inputs", "push", "--out",
                 at("drawn.csv")})
                .status,
            0);
  const ito::SeriesDataset drawn = ito::read_series(folder / "drawn.csv", {.inputs = {"push"}}),
                           like = ito::read_series(folder / "series.csv", {.inputs = {"push"}});
  for (std::size_t i = 0; i < like.count(); ++i) {
    EXPECT_EQ(drawn.series[i].times, like.series[i].times);
    EXPECT_EQ(drawn.series[i].inputs, like.series[i].inputs);
  }
  expect_error(run({"sample", at("fit"), "--count", "3", "--times", "1", "--out", at("s.csv")}), 1,
               {"--like: got none"});
  expect_error(run({"sample", at("fit"), "--times", "1", "--out", at("s.csv")}), 1,
               {"--count: got none"});
  const auto forecast = [&](const std::string& times) {
    const Outcome outcome = run({"forecast", at("fit"), at("series.csv"), "--after", "1", "--times",
                                 times, "--samples", "16", "--out", "-"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  };
  const std::string before = forecast("1.5,3,6");
  // The times at which inputs change are gone through whether they are asked for or not.
  std::set<double> times{1.5, 3, 6};
  const ito::SeriesDataset read_back = ito::read_series(folder / "series.csv");
  for (const double time : read_back.series[0].times)
    if (time > 1) times.insert(time);
  const auto rows_of_the_first = [&](const std::string& text) {
    std::string kept;
    std::istringstream rows(text);
    for (std::string row; std::getline(rows, row);)
      if (row.starts_with("1,1.5,") || row.starts_with("1,3,") || row.starts_with("1,6,"))
        kept += row + "\n";
    return kept;
  };
  EXPECT_GT(times.size(), 5u);
  EXPECT_EQ(rows_of_the_first(forecast(fmt::format("{}", fmt::join(times, ",")))),
            rows_of_the_first(before));
  // An input that comes after what is seen moves the forecast of what comes after it.
  std::string moved;
  std::istringstream lines(data);
  for (std::string line; std::getline(lines, line);) {
    const bool late = line[0] > '1' && line[0] <= '9';
    moved += (late ? line.substr(0, line.size() - 1) + "5" : line) + "\n";
  }
  write(folder / "series.csv", moved);
  const std::string after = forecast("1.5,3,6");
  EXPECT_EQ(before.substr(0, before.find(",3,")), after.substr(0, after.find(",3,")));
  EXPECT_NE(before, after);
  for (const char* command : {"evaluate", "impute"}) {
    std::vector<std::string> on{command, at("fit"), at("series.csv"), "--samples", "16"};
    if (command == std::string("impute")) on.insert(on.end(), {"--out", at("i.csv")});
    const Outcome outcome = run(on);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  }
}

TEST_F(SeriesProgram, RefusesWhatDoesNotFit) {
  expect_error(run(fit_series({"--forecast-after", "-1"})), 1,
               {"--forecast-after: got -1", "a time with values before it in every series"});
  expect_error(run(fit_series({"--forecast-after", "9"})), 1,
               {"--forecast-after: got 9", "a time with values after it"});
  expect_error(run(fit_series({"--exclude", "note,z"})), 1, {"series.csv", "z"});
  write(folder / "other.csv", some_series(3, "time,b,series,c,note"));
  std::vector<std::string> validated = fit_series({"--validation", at("other.csv")});
  validated.erase(validated.begin() + 7, validated.begin() + 9);  // without --held-out 4
  expect_error(run(validated), 1,
               {"other.csv: columns: got \"b\", \"c\"; accepted: \"b\", \"a\" in any order"});
  expect_error(run(fit_arguments({"--standardize"})), 1,
               {"--standardize: got it with a model that is not one of series"});
  expect_error(run({"simulate", at("model.json"), "--params", at("sde.safetensors"), "--paths", "2",
                    "--seed", "1", "--out", at("o.npz")}),
               1, {"a model of series", "`ito sample`"});
  ASSERT_EQ(run(fit_series()).status, 0);
  expect_error(run({"sample", at("fit"), "--count", "1", "--out", at("s.csv")}), 1, {"--times"});
  expect_error(run({"evaluate", at("fit"), at("other.csv"), "--exclude", "note"}), 1,
               {"other.csv", "\"b\", \"c\""});
}

TEST_F(SeriesProgram, ForecastsNeedLaterTimes) {
  make_fit();
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = on_fit("forecast", more);
    arguments.insert(arguments.end(), {"--out", at("f.csv")});
    const Outcome outcome = run(arguments);
    EXPECT_NE(outcome.status, 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "f.csv"));
    return outcome.err;
  };
  EXPECT_NE(refused({}).find("--times: got none"), std::string::npos);
  EXPECT_NE(refused({"--times", "1,2"}).find("the last of series"), std::string::npos);
  EXPECT_NE(refused({"--times", "4:1:1"}).find("FROM:TO:STEP"), std::string::npos);
  EXPECT_NE(refused({"--after", "-5"}).find("series"), std::string::npos);
}

}  // namespace
