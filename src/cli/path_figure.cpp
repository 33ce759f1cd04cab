#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <ito/averages.hpp>
#include "cli/figures.hpp"
#include "cli/state_paths.hpp"

namespace ito::cli {
namespace {

constexpr std::size_t fan_paths = 512;
constexpr std::size_t drawn_paths = 4;
constexpr std::uint64_t fan_seed = 20190;

/// Quantile of values that are about to be forgotten.
double quantile(std::vector<double>& values, double level) {
  if (values.empty()) return std::nan("");
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(level * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

/// t, then the 5, 25, 75 and 95 % quantiles, then a few whole paths.
std::vector<std::vector<double>> fan(const StatePaths& paths, std::size_t coordinate) {
  std::vector<std::vector<double>> columns(5 + drawn_paths);
  columns[0] = paths.times;
  for (std::size_t k = 0; k < paths.times.size(); ++k) {
    std::vector<double> values;
    for (std::size_t i = 0; i < paths.paths; ++i) {
      const double value = paths.at(i, k, coordinate);
      if (std::isfinite(value)) values.push_back(value);
      if (i < drawn_paths) columns[5 + i].push_back(value);
    }
    std::size_t column = 1;
    for (const double level : {0.05, 0.25, 0.75, 0.95})
      columns[column++].push_back(quantile(values, level));
  }
  return columns;
}

/// Variance of a coordinate over paths, averaged over time.
double spread(const StatePaths& paths, std::size_t coordinate) {
  double total = 0;
  for (std::size_t k = 0; k < paths.times.size(); ++k) {
    Averages averages;
    for (std::size_t i = 0; i < paths.paths; ++i) {
      const double value = paths.at(i, k, coordinate);
      if (std::isfinite(value)) averages.add(value);
    }
    total += averages.variance();
  }
  return total;
}

std::vector<std::size_t> widest_coordinates(const StatePaths& paths, std::size_t count) {
  std::vector<double> spreads(paths.state);
  for (std::size_t j = 0; j < paths.state; ++j) spreads[j] = spread(paths, j);
  std::vector<std::size_t> order(paths.state);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return spreads[a] > spreads[b]; });
  order.resize(std::min(count, order.size()));
  return order;
}

std::string fan_commands(const std::string& table, const char* colour, const std::string& name) {
  std::string text = fmt::format(
      "'{0}' using 1:2:5 with filledcurves fs transparent solid 0.14 noborder lc rgb '{1}' "
      "notitle, "
      "'{0}' using 1:3:4 with filledcurves fs transparent solid 0.30 noborder lc rgb '{1}' title "
      "'{2}'",
      table, colour, name);
  for (std::size_t i = 0; i < drawn_paths; ++i)
    text += fmt::format(", '{}' using 1:{} with lines lw 0.8 lc rgb '{}' notitle", table, 6 + i,
                        colour);
  return text;
}

}  // namespace

Figure path_figure(Gnuplot& gnuplot, const FitReport& report) {
  const Dataset& data = report.shown();
  const bool given = takes_context(report.latent);
  std::vector<StatePaths> posteriors;
  for (std::size_t i = 0; i < std::min<std::size_t>(given ? 2 : 1, data.count); ++i)
    posteriors.push_back(posterior_states(report, data.slice(i, i + 1), fan_paths, fan_seed));
  const StatePaths before = prior_states(report, fan_paths, fan_seed + 1);

  Figure figure{.title = "Latent paths before and after seeing an observation",
                .caption = fmt::format(
                    "The two latent coordinates with the largest posterior variance. Bands: "
                    "25–75 and 5–95 % of 512 paths; thin lines: single paths. Grey is the "
                    "prior, {}.",
                    given ? "colours the posterior given the first and second observation shown"
                          : "blue the posterior, which is one for all observations"),
                .panels = {}};
  const char* colours[] = {blue, orange};
  for (const std::size_t coordinate : widest_coordinates(posteriors.front(), 2)) {
    std::string script = axes(fmt::format("Latent coordinate {}", coordinate + 1), "time t",
                              fmt::format("x_{}", coordinate + 1));
    script += "plot " + fan_commands(gnuplot.table(fan(before, coordinate)), grey, "prior");
    for (std::size_t i = 0; i < posteriors.size(); ++i)
      script +=
          ", " + fan_commands(gnuplot.table(fan(posteriors[i], coordinate)), colours[i],
                              given ? fmt::format("given observation {}", i + 1) : "posterior");
    figure.panels.push_back(
        {gnuplot.svg(script, panel_width, panel_height + 40),
         fmt::format("Prior and posterior paths of latent coordinate {}", coordinate + 1)});
  }
  return figure;
}

}  // namespace ito::cli
