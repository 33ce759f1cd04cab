#include <gtest/gtest.h>

#include <string>

#include <ito/error.hpp>
#include <ito/parameters.hpp>
#include <ito/series_model.hpp>

#include "refusal.hpp"

namespace {

using ito::refusal;
using ito::SeriesModel;

constexpr const char* document = R"({
  "state": 2,
  "horizon": 3,
  "series": {"longest_step": 0.1, "steps_between": 2, "start": -1, "columns": ["a", "b"],
             "standardization": {"mean": [1, 2], "scale": [0.5, 4]}},
  "initial": {"kind": "gaussian"},
  "drift": {"kind": "mlp", "hidden": [8]},
  "control": {"kind": "feedback", "hidden": [8], "context": 3},
  "observed": 2,
  "encoder": {"kind": "gru", "hidden": 4, "initial": true},
  "likelihood": {"kind": "gaussian", "scale": 0.1}
})";

std::string with(const std::string& old, const std::string& text) {
  std::string result = document;
  return result.replace(result.find(old), old.size(), text);
}

ito::SeriesDataset some_series() {
  return {.columns = {"a", "b"},
          .series = {{.name = "1", .times = {0, 1}, .values = {1, 2, 3, 4}}}};
}

TEST(SeriesJson, ReadsEveryField) {
  const SeriesModel model = ito::parse_series_model(document);
  EXPECT_EQ(model.longest_step, 0.1);
  EXPECT_EQ(model.steps_between, 2);
  EXPECT_EQ(model.start, -1);
  EXPECT_EQ(model.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(model.standardization, (ito::Standardization{{1, 2}, {0.5, 4}}));
  EXPECT_EQ(model.latent.model.grid, (std::vector<double>{0, 3}));
  EXPECT_EQ(model.latent.observed, 2);
}

TEST(SeriesJson, ReadsBackWhatItWrites) {
  const SeriesModel model = ito::parse_series_model(document);
  const std::string json = ito::to_json(model);
  EXPECT_EQ(ito::to_json(ito::parse_series_model(json)), json);
  EXPECT_EQ(ito::to_json(ito::latent_series(ito::parse_series_model(json), some_series()).latent),
            ito::to_json(ito::latent_series(model, some_series()).latent));
}

/// Their number is the model's; which rule when comes with the series.
TEST(SeriesJson, HasInputsAndNotTheirSteps) {
  const SeriesModel model =
      ito::parse_series_model(with("\"state\": 2", "\"state\": 2, \"inputs\": 3"));
  EXPECT_EQ(model.latent.model.inputs, 3);
  const std::string json = ito::to_json(model);
  EXPECT_NE(json.find("\"inputs\": 3"), std::string::npos);
  EXPECT_EQ(json.find("input_steps"), std::string::npos);
  EXPECT_EQ(ito::to_json(ito::parse_series_model(json)), json);
  EXPECT_EQ(
      refusal([] {
        ito::parse_series_model(with("\"state\": 2", "\"state\": 2, \"input_steps\": [0]"));
      }),
      "input_steps: got an array of 1; accepted: no such key: every series has a grid of its own");
}

TEST(SeriesJson, HasDefaults) {
  const SeriesModel model = ito::parse_series_model(
      R"({"state": 1, "series": {}, "observed": 1, "likelihood": {"kind": "poisson"}})");
  EXPECT_EQ(model.longest_step, SeriesModel{}.longest_step);
  EXPECT_FALSE(model.start || model.standardization);
  EXPECT_EQ(model.latent.model.grid, (std::vector<double>{0, 1}));
}

TEST(SeriesJson, RefusesByField) {
  const auto refused = [](const std::string& text) {
    return refusal([&] { ito::parse_series_model(text); });
  };
  EXPECT_EQ(refused(with("\"horizon\": 3", "\"horizon\": 3, \"steps\": 7")),
            "steps: got 7; accepted: no such key: every series has a grid of its own");
  EXPECT_EQ(
      refused(with("\"context\": 3", "\"context\": 3, \"context_steps\": [0]")),
      "control.context_steps: got an array of 1; accepted: no such key: every series has a grid of "
      "its own");
  EXPECT_EQ(refused(with("0.1, \"steps", "-1, \"steps")),
            "series.longest_step: got -1; accepted: finite float32 numbers above 0");
  EXPECT_EQ(refused(with("[\"a\", \"b\"]", "[\"a\"]")),
            "series.columns: got 1 columns; accepted: 2 (the model's `observed`)");
  EXPECT_EQ(refused(with("[\"a\", \"b\"]", "[\"a\", \"a\"]")),
            "series.columns: got \"a\" twice; accepted: different names");
  EXPECT_EQ(refused(with("[0.5, 4]", "[0.5, 0]")),
            "series.standardization.scale[1]: got 0; accepted: finite float32 numbers above 0");
  EXPECT_EQ(
      refused(with("{\"kind\": \"gru\", \"hidden\": 4, \"initial\": true}", "{\"kind\": \"mlp\"}")),
      "encoder.kind: got an encoder of whole rows with series; accepted: \"gru\", "
      "\"attention\" or \"none\"");
  EXPECT_EQ(refused(R"({"state": 1})"),
            "series: got nothing; accepted: a value: the key is needed");
}

TEST(SeriesJson, ColumnsOfTheSeriesAreThoseOfTheModel) {
  const SeriesModel model = ito::parse_series_model(document);
  ito::SeriesDataset data = some_series();
  data.columns = {"b", "a"};
  EXPECT_EQ(refusal([&] { ito::latent_series(model, data); }),
            "column 1 of the series: got \"b\"; accepted: \"a\", as in the model "
            "(SeriesDataset::with_columns changes the order)");
  data = data.with_columns({"a", "b"});
  EXPECT_EQ(data.series[0].values, (std::vector<float>{2, 1, 4, 3}));
  EXPECT_NO_THROW(ito::latent_series(model, data));
  EXPECT_EQ(refusal([&] {
              data.with_columns({"a", "c"});
            }),
            "columns: got \"a\", \"b\"; accepted: \"a\", \"c\" in any order");
}

}  // namespace
