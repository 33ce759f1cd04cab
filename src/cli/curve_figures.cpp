#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <ito/sample.hpp>

#include <ito/averages.hpp>
#include "cli/figures.hpp"
#include "cli/state_paths.hpp"

namespace ito::cli {
namespace {

constexpr std::uint64_t figure_seed = 20192;
constexpr std::size_t curves = 12;  // of each kind, in the figure of generated ones
constexpr std::size_t reconstructed = 2;

/// Which numbers of an observation one panel shows, against what.
struct Slice {
  std::string title;
  std::string x_label;
  std::vector<double> x;
  std::vector<std::size_t> places;  ///< indices into the [T, D] numbers of an observation
};

double variance(const Dataset& data, std::size_t dimension) {
  Averages averages;
  for (std::size_t i = dimension; i < data.values.size(); i += data.dimension)
    averages.add(static_cast<double>(data.values[i]));
  return averages.variance();
}

/// Sequences: a panel for each of the dimensions that vary most, over time. Vectors: one panel over
/// the dimensions.
std::vector<Slice> slices(const LatentModel& latent, const Dataset& data) {
  std::vector<Slice> result;
  if (data.times == 1) {
    Slice all{.title = "All dimensions", .x_label = "dimension", .x = {}, .places = {}};
    for (std::size_t j = 0; j < data.dimension; ++j) {
      all.x.push_back(static_cast<double>(j + 1));
      all.places.push_back(j);
    }
    return {all};
  }
  std::vector<std::size_t> order(data.dimension);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return variance(data, a) > variance(data, b);
  });
  order.resize(std::min<std::size_t>(2, order.size()));
  for (const std::size_t j : order) {
    Slice slice{.title = fmt::format("y_{}", j + 1), .x_label = "time t", .x = {}, .places = {}};
    for (std::size_t t = 0; t < data.times; ++t) {
      slice.x.push_back(latent.model.grid[static_cast<std::size_t>(latent.model.save[t])]);
      slice.places.push_back(t * data.dimension + j);
    }
    result.push_back(std::move(slice));
  }
  return result;
}

std::vector<double> pick(std::span<const float> observation, const Slice& slice) {
  std::vector<double> values;
  for (const std::size_t place : slice.places) values.push_back(observation[place]);
  return values;
}

Figure::Panel beside_panel(Gnuplot& gnuplot, const Slice& slice, const Dataset& real,
                           const Dataset& generated) {
  std::vector<std::vector<double>> columns{slice.x};
  const std::size_t shown = std::min(curves, real.count);
  for (std::size_t i = 0; i < shown; ++i) columns.push_back(pick(real.row(i), slice));
  for (std::size_t i = 0; i < generated.count; ++i)
    columns.push_back(pick(generated.row(i), slice));
  const std::string table = gnuplot.table(columns);
  std::string script = axes(slice.title, slice.x_label, "value") + "plot ";
  for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
    const bool is_real = i < shown;
    const char* name = i == 0 ? "real" : i == shown ? "generated" : "";
    script += fmt::format("{}'{}' using 1:{} with lines lw 1 lc rgb '{}' title '{}'",
                          i == 0 ? "" : ", ", table, i + 2, is_real ? grey : blue, name);
  }
  return {gnuplot.svg(script, panel_width, panel_height), "Real and generated: " + slice.title};
}

Figure::Panel reconstruction_panel(Gnuplot& gnuplot, const Slice& slice, const Dataset& originals,
                                   std::span<const float> means) {
  const char* colours[] = {blue, orange};
  const std::size_t size = originals.times * originals.dimension;
  std::string script = axes(slice.title, slice.x_label, "value") + "plot ";
  for (std::size_t i = 0; i < originals.count; ++i) {
    const std::string table = gnuplot.table(
        {slice.x, pick(originals.row(i), slice), pick(means.subspan(i * size, size), slice)});
    script += fmt::format(
        "{0}'{1}' using 1:2 with points pt 7 ps 0.4 lc rgb '{2}' title 'observed {3}', "
        "'{1}' using 1:3 with lines lw 2 lc rgb '{2}' title 'reconstructed {3}'",
        i == 0 ? "" : ", ", table, colours[i % 2], i + 1);
  }
  return {gnuplot.svg(script, panel_width, panel_height + 40),
          "Observed and reconstructed: " + slice.title};
}

}  // namespace

std::vector<Figure> curve_figures(Gnuplot& gnuplot, const FitReport& report) {
  const Dataset& data = report.shown();
  const std::string noun = observation_noun(report.latent);
  const Dataset generated = sample(report.latent, report.parameters, std::min(curves, data.count),
                                   {.seed = figure_seed, .execution = report.execution});
  const Dataset originals = data.slice(0, std::min(reconstructed, data.count));
  const std::vector<float> means = reconstruct(report, originals, figure_seed + 1);

  Figure beside{.title = fmt::format("Generated {}s beside real ones", noun),
                .caption = "Grey: real. Blue: drawn from the model, not selected.",
                .panels = {}};
  Figure pairs{.title = "Reconstructions",
               .caption = "Points: observed values. Lines: their mean over 64 posterior paths.",
               .panels = {}};
  if (data.times > 1) {
    beside.caption += " Of several dimensions, the two that vary most.";
    pairs.caption += " Of several dimensions, the two that vary most.";
  }
  for (const Slice& slice : slices(report.latent, data)) {
    beside.panels.push_back(beside_panel(gnuplot, slice, data, generated));
    pairs.panels.push_back(reconstruction_panel(gnuplot, slice, originals, means));
  }
  return {beside, pairs};
}

}  // namespace ito::cli
