#include "cli/prediction_file.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include "io/csv.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "model/check.hpp"

namespace ito::cli {
namespace {

std::vector<std::uint8_t> lines_of(const std::vector<std::string>& names) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& name : names) {
    if (!bytes.empty()) bytes.push_back('\n');
    bytes.insert(bytes.end(), name.begin(), name.end());
  }
  return bytes;
}

/// [N, …, T of the longest, width] of parts [N][…, T, width], with NaN in between.
template <class Number>
std::vector<Number> padded_rows(std::span<const SeriesPrediction> predictions,
                                const std::vector<Number> SeriesPrediction::*numbers,
                                std::size_t outer, std::size_t longest, std::size_t width) {
  std::vector<Number> rows(
      checked_elements<Number>("series", {predictions.size(), outer, longest, width}),
      std::numeric_limits<Number>::quiet_NaN());
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const std::size_t row = predictions[i].times.size() * width;
    for (std::size_t o = 0; o < outer; ++o)
      std::copy_n((predictions[i].*numbers).begin() + static_cast<std::ptrdiff_t>(o * row), row,
                  rows.begin() + static_cast<std::ptrdiff_t>((i * outer + o) * longest * width));
  }
  return rows;
}

template <class Number>
ArrayView array(const char* name, std::vector<std::size_t> shape,
                const std::vector<Number>& numbers) {
  return {name, std::move(shape), std::span<const Number>(numbers)};
}

}  // namespace

void write_predictions_csv(const std::filesystem::path& file,
                           const std::vector<std::string>& columns,
                           std::span<const double> quantiles,
                           std::span<const SeriesPrediction> predictions) {
  AtomicFile out(file);
  std::string header = "series,time";
  for (const std::string& column : columns) {
    header += ',' + quoted_cell(column + "_mean") + ',' + quoted_cell(column + "_std");
    for (const double level : quantiles)
      header += ',' + quoted_cell(fmt::format("{}_q{:g}", column, level));
  }
  out.write(header + '\n');
  for (const SeriesPrediction& one : predictions) {
    const std::string name = quoted_cell(one.name);
    for (std::size_t t = 0; t < one.times.size(); ++t) {
      std::string row = fmt::format("{},{}", name, one.times[t]);
      for (std::size_t j = 0; j < columns.size(); ++j) {
        const std::size_t at = t * columns.size() + j;
        fmt::format_to(std::back_inserter(row), ",{},{}", one.mean[at], one.deviation[at]);
        for (std::size_t q = 0; q < quantiles.size(); ++q)
          fmt::format_to(std::back_inserter(row), ",{}", one.quantiles[q * one.mean.size() + at]);
      }
      out.write(row + '\n');
    }
  }
  out.commit();
}

void write_predictions_npz(const std::filesystem::path& file,
                           const std::vector<std::string>& columns,
                           std::span<const double> quantiles,
                           std::span<const SeriesPrediction> predictions) {
  const std::size_t n = predictions.size(), d = columns.size(), levels = quantiles.size();
  std::size_t longest = 0;
  std::vector<std::string> names;
  std::vector<double> ess, power;
  for (const SeriesPrediction& one : predictions) {
    longest = std::max(longest, one.times.size());
    names.push_back(one.name);
    ess.push_back(one.ess);
    power.push_back(one.power);
  }
  const SeriesPrediction& first = predictions.front();
  const std::size_t samples = first.samples.size() / (first.times.size() * d);
  const auto times = padded_rows(predictions, &SeriesPrediction::times, 1, longest, 1);
  const auto mean = padded_rows(predictions, &SeriesPrediction::mean, 1, longest, d);
  const auto deviation = padded_rows(predictions, &SeriesPrediction::deviation, 1, longest, d);
  const auto bands = padded_rows(predictions, &SeriesPrediction::quantiles, levels, longest, d);
  const auto draws = padded_rows(predictions, &SeriesPrediction::samples, samples, longest, d);
  const std::vector<double> level(quantiles.begin(), quantiles.end());
  const auto series = lines_of(names), column = lines_of(columns);
  const std::vector<ArrayView> arrays{array("times", {n, longest}, times),
                                      array("mean", {n, longest, d}, mean),
                                      array("std", {n, longest, d}, deviation),
                                      array("quantiles", {n, levels, longest, d}, bands),
                                      array("samples", {n, samples, longest, d}, draws),
                                      array("ess", {n}, ess),
                                      array("power", {n}, power),
                                      array("levels", {levels}, level),
                                      array("series", {series.size()}, series),
                                      array("columns", {column.size()}, column)};
  write_npz(file, arrays);
}

}  // namespace ito::cli
