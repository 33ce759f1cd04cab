#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <ito/solver.hpp>

#include "study/order_measure.hpp"

// Every solver on every kind of noise it takes, as its table declares them: the slopes of strong
// and weak errors over paths that are the same at h, h/2, h/4, … (Request::refinement).
namespace ito::lab::study {
namespace {

constexpr NoiseKind noise_kinds[] = {NoiseKind::additive, NoiseKind::scalar, NoiseKind::diagonal,
                                     NoiseKind::general};

/// Slopes of one kind of noise beside what is declared.
Panel slope_panel(NoiseKind kind, Sense sense, const std::vector<OrderProblem>& problems,
                  const std::vector<MeasuredOrder>& all) {
  Panel panel{.title = fmt::format("{} noise", name(kind)),
              .y = {.label = fmt::format("{} order", sense == Sense::strong ? "strong" : "weak"),
                    .least = 0,
                    .most = sense == Sense::strong ? 2.0 : 3.0}};
  std::map<std::size_t, double> places;  // of a solver on the axis
  for (const MeasuredOrder& m : all) {
    if (problems[m.problem].noise != kind || places.contains(m.solver)) continue;
    const auto at = static_cast<double>(places.size());
    places[m.solver] = at;
    panel.x.names.emplace_back(solvers()[m.solver].name);
    Series mark{.name = at == 0 ? "declared" : "", .colour = 2};
    mark.add(at - 0.4, m.declared);
    mark.add(at + 0.4, m.declared);
    panel.series.push_back(mark);
  }
  panel.x.least = -0.6;
  panel.x.most = static_cast<double>(places.size()) - 0.4;
  constexpr int colours[] = {0, 1, 3};
  int shown = 0;
  for (std::size_t p = 0; p < problems.size(); ++p) {
    if (problems[p].noise != kind) continue;
    Series series{.name = problems[p].name,
                  .style = Series::Style::points,
                  .colour = colours[static_cast<std::size_t>(shown) % std::size(colours)]};
    for (const MeasuredOrder& m : all) {
      if (m.problem != p || !std::isfinite(m.convergence.half_width)) continue;
      series.add(places[m.solver] + 0.2 * (shown - 1), m.convergence.order,
                 m.convergence.half_width);
    }
    panel.series.push_back(series);
    ++shown;
  }
  return panel;
}

/// Errors over the step, all solvers on the random nets of one kind of noise.
Panel error_panel(NoiseKind kind, Sense sense, const std::vector<OrderProblem>& problems,
                  const std::vector<MeasuredOrder>& all) {
  Panel panel{.title = fmt::format("{} noise, random nets", name(kind)),
              .x = {.label = "steps 1/h", .logarithmic = true},
              .y = {.label = sense == Sense::strong ? "rms distance, h to h/2"
                                                    : "moments’ distance, h to h/2",
                    .logarithmic = true}};
  for (const MeasuredOrder& m : all) {
    if (problems[m.problem].noise != kind || problems[m.problem].closed_form) continue;
    Series series{.name = fmt::format("{} ({:g})", solvers()[m.solver].name, m.declared),
                  .style = Series::Style::linked,
                  .colour = static_cast<int>(m.solver)};
    for (const auto& point : m.convergence.points)
      if (point.used) series.add(1 / point.step, point.error, point.standard_error);
    panel.series.push_back(series);
  }
  return panel;
}

std::string interval(const Convergence& c) {
  return std::isfinite(c.half_width) ? plus_minus(c.order, c.half_width, 2) : "–";
}

nlohmann::ordered_json as_json(const MeasuredOrder& m, const std::vector<OrderProblem>& problems) {
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  for (const auto& point : m.convergence.points) {
    points.push_back({{"step", point.step},
                      {"error", point.error},
                      {"standard_error", point.standard_error},
                      {"used", point.used}});
  }
  nlohmann::ordered_json json{{"solver", solvers()[m.solver].name},
                              {"noise", name(problems[m.problem].noise)},
                              {"problem", problems[m.problem].name},
                              {"declared", m.declared},
                              {"order", m.convergence.order},
                              {"half_width", nullptr},
                              {"verdict", m.verdict()},
                              {"points", points}};
  if (std::isfinite(m.convergence.half_width)) json["half_width"] = m.convergence.half_width;
  if (m.has_limit) {
    json["limit_less_exact"] = m.limit;
    json["limit_error"] = m.limit_error;
  }
  return json;
}

/// "x of y … as declared", and the pairs that are not.
std::string finding(Sense sense, const std::vector<OrderProblem>& problems,
                    const std::vector<MeasuredOrder>& all) {
  std::map<std::string, std::size_t> counts;
  std::string others;
  for (const MeasuredOrder& m : all) {
    ++counts[m.verdict()];
    if (m.verdict() == "within") continue;
    others += fmt::format("{}{} {} on {} noise ({}): {}", others.empty() ? "" : "; ",
                          solvers()[m.solver].name, m.verdict(), name(problems[m.problem].noise),
                          problems[m.problem].name, interval(m.convergence));
  }
  return fmt::format("{} orders: {} of {} measured as declared, {} below{}",
                     sense == Sense::strong ? "Strong" : "Weak", counts["within"], all.size(),
                     counts["below"], others.empty() ? "" : " (" + others + ")");
}

Part report(Sense sense, const std::vector<OrderProblem>& problems,
            const std::vector<MeasuredOrder>& all) {
  const bool strong = sense == Sense::strong;
  Part part{.name = strong ? "strong" : "weak", .title = strong ? "Strong orders" : "Weak orders"};
  part.findings.push_back(finding(sense, problems, all));
  Figure slopes{.title = part.findings.front().substr(0, part.findings.front().find(" ("))};
  slopes.caption =
      "Grey: declared. Points: the slope of log₂ error, fitted with one more term of the error, "
      "± 95 % interval. “As declared” allows the interval 0.1 more on either side, 0.4 where only "
      "three steps tell the error from chance, since steps are not yet short.";
  Figure errors{.title = strong ? "Distances of paths at h and h/2 fall as powers of h"
                                : "Distances of moments at h and h/2 fall as powers of h"};
  errors.caption =
      "Random nets of six tanh units for drift and diffusion; the declared order in "
      "brackets. Points that cannot be told from zero are left out.";
  Table table{.title = "Slopes, ± 95 % interval",
              .header = {"solver", "noise", "problem", "declared", "measured", "verdict"}};
  if (!strong) table.header.emplace_back("½|x|² in the limit, less exact");
  for (const NoiseKind kind : noise_kinds) {
    slopes.panels.push_back(slope_panel(kind, sense, problems, all));
    errors.panels.push_back(error_panel(kind, sense, problems, all));
    for (std::size_t s = 0; s < solvers().size(); ++s) {
      for (const MeasuredOrder& m : all) {
        if (m.solver != s || problems[m.problem].noise != kind) continue;
        table.rows.push_back({std::string(solvers()[s].name), std::string(name(kind)),
                              problems[m.problem].name, fmt::format("{:g}", m.declared),
                              interval(m.convergence), m.verdict()});
        if (!strong)
          table.rows.back().push_back(m.has_limit ? plus_minus(m.limit, m.limit_error, 4) : "");
      }
    }
  }
  part.figures = {slopes, errors};
  part.tables = {table};
  part.numbers["pairs"] = nlohmann::ordered_json::array();
  for (const MeasuredOrder& m : all) part.numbers["pairs"].push_back(as_json(m, problems));
  return part;
}

/// Euler–Maruyama's errors beside those of 2 g(X^{h/2}) − g(X^h).
void add_extrapolation(const std::vector<OrderProblem>& problems,
                       const std::vector<MeasuredOrder>& all, Part& part) {
  Panel panel{.title = "Euler–Maruyama",
              .x = {.label = "steps 1/h", .logarithmic = true},
              .y = {.label = "error of the moments", .logarithmic = true}};
  std::string orders;
  for (const MeasuredOrder& m : all) {
    if (solvers()[m.solver].solver != Solver::euler_maruyama || !problems[m.problem].exact_end ||
        problems[m.problem].noise != NoiseKind::scalar)
      continue;
    for (const bool extrapolated : {false, true}) {
      const Convergence& c = extrapolated ? m.extrapolated : m.convergence;
      Series series{.name = extrapolated ? "2 m(h/2) − m(h)" : "moments m(h)",
                    .style = Series::Style::linked,
                    .colour = extrapolated ? 1 : 0};
      for (const auto& point : c.points)
        if (point.used) series.add(1 / point.step, point.error, point.standard_error);
      panel.series.push_back(series);
    }
    orders = fmt::format("{} and {}", interval(m.convergence), interval(m.extrapolated));
    part.numbers["extrapolated"] = {{"problem", problems[m.problem].name},
                                    {"order", m.convergence.order},
                                    {"extrapolated_order", m.extrapolated.order},
                                    {"error", m.convergence.points.front().error},
                                    {"extrapolated_error", m.extrapolated.points.front().error}};
  }
  part.figures.push_back(
      {.title = fmt::format("Richardson’s extrapolation on the same paths: orders {}", orders),
       .caption = fmt::format("Geometric Brownian motion by Euler–Maruyama: errors of the means of "
                              "x and x² against their closed forms, and of 2 m(h/2) − m(h) on the "
                              "same Brownian paths. Orders {}.",
                              orders),
       .panels = {panel}});
}

}  // namespace

Part strong_orders(const Settings& settings) {
  const std::vector<OrderProblem> problems = order_problems();
  const std::vector<MeasuredOrder> all = measure_orders(Sense::strong, problems, settings);
  Part part = report(Sense::strong, problems, all);
  part.text.push_back(
      "Paths at steps h, h/2, h/4, … follow the same Brownian path. Where X_1 is a function of W_1 "
      "the error is the root mean square distance from the exact path, elsewhere from the path of "
      "half the step.");
  return part;
}

Part weak_orders(const Settings& settings) {
  const std::vector<OrderProblem> problems = order_problems();
  const std::vector<MeasuredOrder> all = measure_orders(Sense::weak, problems, settings);
  Part part = report(Sense::weak, problems, all);
  part.text.push_back(
      "A weak error is the Euclidean norm of what the means of x_i and x_i x_j are off by. "
      "Differences of moments at h and h/2 over the same Brownian paths, or from the exact path, "
      "have a fraction of the moments’ own variance. Where the exact mean of ½|x|² alone is known, "
      "the last column holds what all grids together give beyond it: within a few standard errors "
      "of zero, they converge to the right limit.");
  add_extrapolation(problems, all, part);
  return part;
}

}  // namespace ito::lab::study
