#include <ito/standardization.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <ito/check.hpp>
#include <ito/error.hpp>

#include "io/standardization_json.hpp"
#include "model/check.hpp"
#include "model/model_json.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// What is observed of one column.
struct ColumnMoments {
  double count = 0, mean = 0, squares = 0;  ///< `squares` of deviations from the mean
  float least = std::numeric_limits<float>::infinity(), most = -least;

  /// Welford's update.
  void add(float value) {
    count += 1;
    const double deviation = static_cast<double>(value) - mean;
    mean += deviation / count;
    squares += deviation * (static_cast<double>(value) - mean);
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

}  // namespace

void check_standardization(const Standardization& standardization, const std::string& field) {
  const std::size_t columns = standardization.mean.size();
  check_count(field + ".mean", columns, 1, size(observed_range.most));
  check_values(field + ".mean", standardization.mean, columns);
  if (standardization.scale.size() != columns)
    throw Error(field + ".scale", fmt::format("{} numbers", standardization.scale.size()),
                fmt::format("{}, as many as mean has", columns));
  for (std::size_t j = 0; j < columns; ++j)
    check_positive(indexed(field + ".scale", j), standardization.scale[j]);
}

namespace {

/// Each number of rows, with its column, changed.
template <class Change>
void change_rows(std::span<float> rows, std::size_t columns, Change change) {
  if (rows.size() % columns != 0)
    throw Error("rows", fmt::format("{} numbers", rows.size()), fmt::format("rows of {}", columns));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double result = change(i % columns, static_cast<double>(rows[i]));
    if (std::abs(result) > std::numeric_limits<float>::max())
      throw Error(fmt::format("column {}", i % columns + 1), fmt::format("{}", result),
                  "numbers that a float32 holds");
    rows[i] = static_cast<float>(result);
  }
}

template <class Change>
SeriesDataset change_series(SeriesDataset data, std::size_t columns, Change change) {
  if (data.dimension() != columns)
    throw Error("columns", fmt::format("{}", data.dimension()),
                fmt::format("{}, as standardised", columns));
  for (Series& series : data.series) change(std::span<float>(series.values));
  return data;
}

}  // namespace

void Standardization::apply(std::span<float> rows) const {
  check_standardization(*this);
  change_rows(rows, mean.size(),
              [this](std::size_t j, double y) { return (y - mean[j]) / scale[j]; });
}

void Standardization::undo(std::span<float> rows) const {
  check_standardization(*this);
  change_rows(rows, mean.size(),
              [this](std::size_t j, double z) { return mean[j] + scale[j] * z; });
}

SeriesDataset Standardization::apply(SeriesDataset data) const {
  return change_series(std::move(data), mean.size(),
                       [this](std::span<float> rows) { apply(rows); });
}

SeriesDataset Standardization::undo(SeriesDataset data) const {
  return change_series(std::move(data), mean.size(), [this](std::span<float> rows) { undo(rows); });
}

Standardization fit_standardization(const SeriesDataset& data) {
  check_series(data);
  std::vector<ColumnMoments> columns(data.dimension());
  for (const Series& series : data.series)
    for (std::size_t i = 0; i < series.values.size(); ++i)
      if (!std::isnan(series.values[i])) columns[i % columns.size()].add(series.values[i]);
  Standardization result;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const ColumnMoments& column = columns[j];
    if (column.count == 0)
      throw Error(fmt::format("column \"{}\"", shortened(data.columns[j], 40)),
                  "no value in any series", "at least one");
    const bool constant = column.least == column.most;
    result.mean.push_back(constant ? static_cast<double>(column.least) : column.mean);
    result.scale.push_back(constant ? 1.0 : std::sqrt(column.squares / column.count));
  }
  check_standardization(result);
  return result;
}

nlohmann::ordered_json write_standardization(const Standardization& standardization) {
  check_standardization(standardization);
  return {{"mean", standardization.mean}, {"scale", standardization.scale}};
}

Standardization read_standardization(const JsonReader& object) {
  object.accept({"mean", "scale"});
  const JsonReader scale = object.at("scale");
  Standardization result{object.at("mean").numbers(), scale.numbers()};
  check_standardization(result, object.field().empty() ? "standardization" : object.field());
  return result;
}

std::string to_json(const Standardization& standardization) {
  return format_document(write_standardization(standardization));
}

Standardization parse_standardization(std::string_view json) {
  const nlohmann::json document = parse_json(json, "standardization");
  return read_standardization(JsonReader(document, ""));
}

}  // namespace ito
