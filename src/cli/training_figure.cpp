#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "cli/figures.hpp"

namespace ito::cli {
namespace {

/// Lowest value the axis of the bounds shows: the first epochs are so far below the rest that they
/// would flatten every later difference.
double axis_floor(const std::vector<std::vector<double>>& bounds) {
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -lowest;
  for (const auto& bound : bounds) {
    const std::size_t skipped = bound.size() / 20;
    for (std::size_t i = skipped; i < bound.size(); ++i) {
      if (!std::isfinite(bound[i])) continue;
      lowest = std::min(lowest, bound[i]);
      highest = std::max(highest, bound[i]);
    }
  }
  return lowest - 0.05 * (highest - lowest);
}

Figure::Panel bounds_panel(Gnuplot& gnuplot, const FitReport& report,
                           const std::vector<double>& epoch) {
  std::vector<double> train, held_out, iwae;
  for (const EpochRecord& record : report.history) {
    train.push_back(record.elbo);
    held_out.push_back(record.held_out_elbo);
    iwae.push_back(record.held_out_iwae);
  }
  const std::string table = gnuplot.table({epoch, train, held_out, iwae});
  const double floor = axis_floor({train, held_out, iwae});
  std::string script =
      axes("Lower bounds on log p(y)", "epoch", "nats per " + observation_noun(report.latent));
  if (std::isfinite(floor)) script += fmt::format("set yrange [{}:*]\n", floor);
  script += "set key bottom right inside vertical\n";
  if (report.best_epoch > 0)
    script += fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead dt 2 lc rgb '{1}'\n",
                          report.best_epoch, grey);
  script += fmt::format("plot '{0}' using 1:2 with lines lw 2 lc rgb '{1}' title 'ELBO, training'",
                        table, grey);
  if (report.held_out.count > 0) {
    script += fmt::format(
        ", '{0}' using 1:3 with lines lw 2 lc rgb '{1}' title 'ELBO, held out', "
        "'{0}' using 1:4 with lines lw 2 lc rgb '{2}' title 'importance weighted, held out'",
        table, blue, orange);
  }
  return {gnuplot.svg(script, panel_width, panel_height), "Training and held-out bounds by epoch"};
}

Figure::Panel line_panel(Gnuplot& gnuplot, const std::vector<double>& epoch,
                         const std::vector<double>& values, const std::string& title,
                         const std::string& unit) {
  const std::string table = gnuplot.table({epoch, values});
  const std::string script =
      axes(title, "epoch", unit) + "set yrange [0:*]\n" +
      fmt::format("plot '{}' using 1:2 with lines lw 2 lc rgb '{}' notitle", table, blue);
  return {gnuplot.svg(script, panel_width, panel_height), title + " by epoch"};
}

}  // namespace

Figure training_figure(Gnuplot& gnuplot, const FitReport& report) {
  std::vector<double> epoch, energy, ess;
  for (const EpochRecord& record : report.history) {
    epoch.push_back(static_cast<double>(record.epoch));
    energy.push_back(record.energy);
    ess.push_back(record.held_out_ess);
  }
  Figure figure{.title = "Training",
                .caption =
                    "Bounds by epoch (held-out ones with the averaged parameters), and the "
                    "path energy E = ½∫|u|² dt, the Kullback–Leibler divergence of posterior "
                    "from prior paths.",
                .panels = {}};
  figure.panels.push_back(bounds_panel(gnuplot, report, epoch));
  figure.panels.push_back(line_panel(gnuplot, epoch, energy, "Path energy E, training",
                                     "nats per " + observation_noun(report.latent)));
  if (report.held_out.count > 0) {
    figure.panels.push_back(
        line_panel(gnuplot, epoch, ess, "Effective sample size, held out", "paths"));
    figure.caption +=
        " The effective sample size says how many of an observation's paths carry "
        "its importance weight.";
  }
  if (report.best_epoch > 0)
    figure.caption += " The dashed line is at the epoch whose parameters are kept.";
  return figure;
}

}  // namespace ito::cli
