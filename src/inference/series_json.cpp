#include <ito/series_model.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "inference/latent_json.hpp"
#include "io/standardization_json.hpp"
#include "model/model_json.hpp"

namespace ito {
namespace {

constexpr const char* no_grid = "no such key: every series has a grid of its own";

/// Keys of a model that come with the series.
constexpr std::array<std::string_view, 4> grid_keys{"grid", "steps", "save", "input_steps"};

void refuse_grid(const JsonReader& document) {
  for (const std::string_view key : grid_keys)
    if (document.has(key)) document.at(key).refuse(no_grid);
  if (!document.has("control")) return;
  const JsonReader control = document.at("control");
  if (control.value().is_object() && control.has("context_steps"))
    control.at("context_steps").refuse(no_grid);
}

std::vector<std::string> read_columns(const JsonReader& array) {
  if (!array.value().is_array()) array.refuse("an array of names");
  std::vector<std::string> columns;
  for (std::size_t j = 0; j < array.value().size(); ++j) columns.push_back(array.at(j).text());
  return columns;
}

void read_series_keys(const JsonReader& object, SeriesModel& model) {
  object.accept(
      {"longest_step", "steps_between", "start", "columns", "input_columns", "standardization"});
  object.read("longest_step", model.longest_step);
  object.read("steps_between", model.steps_between, {1, std::numeric_limits<int>::max()});
  if (object.has("start")) model.start = object.at("start").number();
  if (object.has("columns")) model.columns = read_columns(object.at("columns"));
  if (object.has("input_columns")) model.input_columns = read_columns(object.at("input_columns"));
  if (object.has("standardization"))
    model.standardization = read_standardization(object.at("standardization"));
}

}  // namespace

SeriesModel parse_series_model(std::string_view text) {
  nlohmann::json document = parse_json(text, "model");
  const JsonReader reader(document, "");
  accept_keys(reader, {"series"});
  SeriesModel model;
  read_series_keys(reader.at("series"), model);
  refuse_grid(reader);
  // One step through the unit of time stands for the grids.
  document["steps"] = 1;
  if (!document.contains("horizon")) document["horizon"] = 1;
  model.latent = read_latent_model(reader);
  return validated(std::move(model));
}

std::string to_json(const SeriesModel& given) {
  const SeriesModel model = validated(given);
  const std::vector<double>& grid = model.latent.model.grid;
  nlohmann::ordered_json series{{"longest_step", model.longest_step},
                                {"steps_between", model.steps_between}};
  if (model.start) series["start"] = *model.start;
  if (!model.columns.empty()) series["columns"] = model.columns;
  if (!model.input_columns.empty()) series["input_columns"] = model.input_columns;
  if (model.standardization)
    series["standardization"] = write_standardization(*model.standardization);
  nlohmann::ordered_json document{{"series", series}, {"horizon", grid.back() - grid.front()}};
  const nlohmann::ordered_json latent = write_latent_model(model.latent);
  for (const auto& [key, value] : latent.items())
    if (key != "horizon" && std::ranges::find(grid_keys, key) == grid_keys.end())
      document[key] = value;
  document["control"].erase("context_steps");
  return format_document(document);
}

}  // namespace ito
