#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include <ito/averages.hpp>
#include <ito/forecast.hpp>
#include <ito/impute.hpp>
#include <ito/sample_series.hpp>
#include "cli/figures.hpp"
#include "inference/series_inputs.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

constexpr std::uint64_t seed = 20195;
constexpr std::size_t shown_series = 2, shown_columns = 2;
constexpr std::size_t beside = 12;  ///< series of each kind
constexpr std::size_t dense = 150;  ///< times of a curve
constexpr std::size_t fan_samples = 512;
const std::vector<double> band_levels{0.05, 0.25, 0.5, 0.75, 0.95};

/// `count` equally spaced times, ends included.
std::vector<double> spaced(double from, double to, std::size_t count) {
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i)
    times.push_back(i + 1 == count ? to
                                   : from + (to - from) * static_cast<double>(i) /
                                                static_cast<double>(count - 1));
  return times;
}

/// The columns that vary most.
std::vector<std::size_t> lively_columns(const SeriesDataset& data) {
  std::vector<Averages> columns(data.dimension());
  for (const Series& one : data.series)
    for (std::size_t i = 0; i < one.values.size(); ++i)
      if (!std::isnan(one.values[i]))
        columns[i % columns.size()].add(static_cast<double>(one.values[i]));
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return columns[a].variance() > columns[b].variance();
  });
  order.resize(std::min(shown_columns, order.size()));
  return order;
}

/// A name as gnuplot's single-quoted text.
std::string title_of(const std::string& name) {
  std::string text;
  for (const char c : shortened(name, 24))
    text += c == '\'' ? std::string("''") : std::string(1, c);
  return text;
}

/// t, then the quantiles of one column.
std::string fan_table(Gnuplot& gnuplot, const SeriesPrediction& prediction, std::size_t column,
                      std::size_t dimension) {
  std::vector<std::vector<double>> columns{prediction.times};
  const std::size_t numbers = prediction.mean.size();
  for (std::size_t q = 0; q < band_levels.size(); ++q) {
    columns.emplace_back();
    for (std::size_t t = 0; t < prediction.times.size(); ++t)
      columns.back().push_back(prediction.quantiles[q * numbers + t * dimension + column]);
  }
  return gnuplot.table(columns);
}

/// The values of a column where there are some, `after` a time or up to it.
std::string point_table(Gnuplot& gnuplot, const Series& series, std::size_t column,
                        std::size_t dimension, double cut, bool after) {
  std::vector<std::vector<double>> columns(2);
  for (std::size_t t = 0; t < series.length(); ++t) {
    if ((series.times[t] > cut) != after) continue;
    columns[0].push_back(series.times[t]);
    columns[1].push_back(series.values[t * dimension + column]);
  }
  return columns[0].empty() ? "" : gnuplot.table(columns);
}

/// One column of a series: bands of what is expected, and what was observed up to `cut` and later.
Figure::Panel fan_panel(Gnuplot& gnuplot, const SeriesDataset& data, const Series& series,
                        const SeriesPrediction& prediction, std::size_t column, double cut) {
  const std::size_t width = data.dimension();
  const std::string name = fmt::format("{} of series {}", data.columns[column], series.name);
  const std::string table = fan_table(gnuplot, prediction, column, width);
  std::string script = axes(title_of(data.columns[column]) + " of series " + title_of(series.name),
                            "time t", "value");
  script += fmt::format(
      "plot '{0}' using 1:2:6 with filledcurves fs transparent solid 0.15 noborder lc rgb '{1}' "
      "title '90 %', "
      "'{0}' using 1:3:5 with filledcurves fs transparent solid 0.30 noborder lc rgb '{1}' title "
      "'50 %', '{0}' using 1:4 with lines lw 1.5 lc rgb '{1}' title 'median'",
      table, blue);
  const std::string seen = point_table(gnuplot, series, column, width, cut, false),
                    later = point_table(gnuplot, series, column, width, cut, true);
  if (!seen.empty())
    script +=
        fmt::format(", '{}' using 1:2 with points pt 7 ps 0.4 lc rgb '{}' title 'seen'", seen, ink);
  if (!later.empty())
    script += fmt::format(", '{}' using 1:2 with points pt 6 ps 0.5 lc rgb '{}' title 'not seen'",
                          later, orange);
  return {gnuplot.svg(script, panel_width, panel_height + 40), name};
}

/// Panels of the series shown, each with what `predict(alone)` expects of it.
template <class Predict>
void add_fans(Figure& figure, Gnuplot& gnuplot, const SeriesDataset& data, Predict predict) {
  for (std::size_t i = 0; i < std::min(shown_series, data.count()); ++i) {
    const SeriesDataset alone = data.select(std::array{i});
    const auto [prediction, cut] = predict(alone);
    for (const std::size_t column : lively_columns(data))
      figure.panels.push_back(fan_panel(gnuplot, data, alone.series[0], prediction, column, cut));
  }
}

Figure smoothing_figure(Gnuplot& gnuplot, const FitReport& report, const SeriesDataset& data) {
  const SeriesModel& model = report.series->model;
  Figure figure{.title = "Does the posterior follow the series, and what does it say of the gaps?",
                .caption =
                    "Bands and line: the mean of y given the path, over paths drawn by "
                    "their weights, given all that was observed of the series.",
                .panels = {}};
  add_fans(figure, gnuplot, data, [&](const SeriesDataset& alone) {
    const std::vector<double>& times = alone.series[0].times;
    auto prediction = impute(model, report.parameters, alone,
                             spaced(times.front(), times.back(), times.size() > 1 ? dense : 1),
                             {.samples = fan_samples,
                              .seed = seed,
                              .mean = true,
                              .denoise = true,
                              .quantiles = band_levels,
                              .execution = report.execution});
    return std::pair(std::move(prediction[0]), times.back());
  });
  return figure;
}

/// Where what is seen of a series ends: as asked, or after two thirds of its times.
double cut_of(const FitReport& report, const Series& series) {
  if (report.forecasts) return report.forecasts->after;
  return series.times[(series.length() * 2 - 1) / 3];
}

Figure forecast_figure(Gnuplot& gnuplot, const FitReport& report, const SeriesDataset& data) {
  Figure figure{.title = "Does what comes later lie where the model expects it?",
                .caption =
                    "Only the filled points were seen. Bands and line: y at later times, "
                    "noise included.",
                .panels = {}};
  add_fans(figure, gnuplot, data, [&](const SeriesDataset& alone) {
    const double cut = cut_of(report, alone.series[0]), last = alone.series[0].times.back();
    std::vector<double> times = spaced(cut, last, dense + 1);
    times.erase(times.begin());
    const SeriesDataset seen = split_after(alone, cut).first;
    auto prediction = forecast(report.series->model, report.parameters, seen,
                               with_input_times(alone, seen, times),
                               {.samples = fan_samples,
                                .seed = seed + 1,
                                .quantiles = band_levels,
                                .execution = report.execution});
    return std::pair(std::move(prediction[0]), cut);
  });
  return figure;
}

/// Series long enough for a forecast.
SeriesDataset forecastable(const FitReport& report, const SeriesDataset& data) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < data.count(); ++i) {
    const Series& one = data.series[i];
    const double cut = cut_of(report, one);
    bool seen = false;
    for (std::size_t t = 0; t < one.length() && one.times[t] <= cut; ++t)
      for (std::size_t j = 0; j < data.dimension(); ++j)
        seen = seen || !std::isnan(one.values[t * data.dimension() + j]);
    if (seen && one.times.back() > cut) indices.push_back(i);
  }
  return data.select(indices);
}

/// A panel of lines of a column, the values between `low` and `high`.
Figure::Panel line_panel(Gnuplot& gnuplot, const SeriesDataset& data, std::size_t column,
                         const std::string& title, const char* colour, double low, double high) {
  std::string script = axes(title_of(title), "time t", "value") +
                       fmt::format("set yrange [{}:{}]\nplot ", low, high);
  for (std::size_t i = 0; i < data.count(); ++i) {
    const Series& one = data.series[i];
    std::vector<std::vector<double>> columns(2);
    for (std::size_t t = 0; t < one.length(); ++t) {
      const float value = one.values[t * data.dimension() + column];
      if (std::isnan(value)) continue;
      columns[0].push_back(one.times[t]);
      columns[1].push_back(value);
    }
    if (columns[0].empty()) continue;
    script += fmt::format("{}'{}' using 1:2 with lines lw 1 lc rgb '{}' notitle",
                          script.ends_with("plot ") ? "" : ", ", gnuplot.table(columns), colour);
  }
  return {gnuplot.svg(script, panel_width, panel_height), title};
}

/// The least and the greatest value of a column, with room around.
std::pair<double, double> range_of(const SeriesDataset& data, std::size_t column) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& one : data.series)
    for (std::size_t t = 0; t < one.length(); ++t) {
      const auto value = static_cast<double>(one.values[t * data.dimension() + column]);
      if (std::isnan(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  const double room = std::max(0.15 * (high - low), 1e-6 * std::abs(high) + 1e-9);
  return {low - room, high + room};
}

Figure beside_figure(Gnuplot& gnuplot, const FitReport& report, const SeriesDataset& data) {
  const SeriesDataset real = data.slice(0, std::min(beside, data.count()));
  const bool driven = prior(report.latent.model).inputs > 0;
  // One at the times of each real series.
  SeriesDataset drawn{data.columns, {}, {}};
  for (std::size_t i = 0; i < real.count(); ++i)
    drawn.series.push_back(
        sample_series(report.series->model, report.parameters, real.series[i].times, 1,
                      {.seed = seed + 2 + i,
                       .inputs = driven ? std::span<const float>(real.series[i].inputs)
                                        : std::span<const float>{},
                       .execution = report.execution})
            .series[0]);
  Figure figure{.title = "Could draws of the model be taken for series?",
                .caption =
                    "Grey: real series. Blue: as many drawn from the model at the same "
                    "times, not selected.",
                .panels = {}};
  for (const std::size_t column : lively_columns(data)) {
    const auto [low, high] = range_of(real, column);
    if (!(low < high)) continue;  // nothing is observed
    figure.panels.push_back(
        line_panel(gnuplot, real, column, data.columns[column] + ", real", grey, low, high));
    figure.panels.push_back(
        line_panel(gnuplot, drawn, column, data.columns[column] + ", drawn", blue, low, high));
  }
  return figure;
}

}  // namespace

std::vector<std::function<std::vector<Figure>()>> series_figures(Gnuplot& gnuplot,
                                                                 const FitReport& report) {
  const SeriesDataset& data = report.series->shown();
  return {[&] { return std::vector{smoothing_figure(gnuplot, report, data)}; },
          [&] {
            const SeriesDataset cut = forecastable(report, data);
            return cut.count() > 0 ? std::vector{forecast_figure(gnuplot, report, cut)}
                                   : std::vector<Figure>{};
          },
          [&] { return std::vector{beside_figure(gnuplot, report, data)}; }};
}

}  // namespace ito::cli
