#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "study/gradient_cost.hpp"

// What a gradient costs by every route and what it is off by, over steps, dimension, parameters and
// paths, and which route to take.
namespace ito::lab::study {
namespace {

using Quantity = double (*)(const GradientCost&);

/// One panel for each sweep, one line for each route.
std::vector<Panel> panels(const std::vector<Sweep>& all, const std::vector<Route>& by,
                          const std::string& label, Quantity quantity) {
  std::vector<Panel> result;
  for (const Sweep& sweep : all) {
    Panel panel{.title = "over " + sweep.label,
                .x = {.label = sweep.label, .logarithmic = true},
                .y = {.label = label, .logarithmic = true}};
    bool any = false;
    for (std::size_t r = 0; r < by.size(); ++r) {
      Series series{
          .name = by[r].name, .style = Series::Style::linked, .colour = static_cast<int>(r)};
      for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
        if (!sweep.costs[r][l]) continue;
        const double value = quantity(*sweep.costs[r][l]);
        if (value > 0) series.add(sweep.x[l], value);
      }
      any = any || !series.x.empty();
      panel.series.push_back(series);
    }
    if (any) result.push_back(panel);
  }
  return result;
}

Table table_of(const std::vector<Sweep>& all, const std::vector<Route>& by) {
  Table table{.title =
                  "Every setting; nets of one hidden layer, 64 steps, d = 4, 8 units and 256 "
                  "paths but for what is named",
              .header = {"setting", "route", "parameters", "time, ms", "workspace, MiB",
                         "peak resident, MiB", "off the chain’s, %", "off the equation’s, %",
                         "standard error, %"}};
  for (const Sweep& sweep : all) {
    for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
      for (std::size_t r = 0; r < by.size(); ++r) {
        const std::string setting = fmt::format("{} {:g}", sweep.label, sweep.x[l]);
        if (!sweep.costs[r][l]) continue;
        const GradientCost& c = *sweep.costs[r][l];
        constexpr double unit = 1 << 20;
        table.rows.push_back({setting, by[r].name, fmt::format("{}", c.parameters),
                              number(1e3 * c.seconds, 2),
                              number(static_cast<double>(c.workspace) / unit, 2),
                              c.resident > 0 ? number(c.resident / unit, 1) : "–",
                              fmt::format("{:.2g}", 100 * c.off_chain),
                              c.off_equation > 0 ? fmt::format("{:.2g}", 100 * c.off_equation) : "",
                              number(100 * c.noise, 1)});
      }
    }
  }
  return table;
}

nlohmann::ordered_json as_json(const std::vector<Sweep>& all, const std::vector<Route>& by) {
  nlohmann::ordered_json json;
  for (const Sweep& sweep : all) {
    for (std::size_t r = 0; r < by.size(); ++r) {
      for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
        if (!sweep.costs[r][l]) continue;
        const GradientCost& c = *sweep.costs[r][l];
        json[sweep.label].push_back({{"route", by[r].name},
                                     {"steps", sweep.loads[l].steps},
                                     {"state", sweep.loads[l].state},
                                     {"parameters", c.parameters},
                                     {"paths", sweep.loads[l].paths},
                                     {"seconds", c.seconds},
                                     {"workspace_bytes", c.workspace},
                                     {"resident_bytes", c.resident},
                                     {"off_chain", c.off_chain},
                                     {"off_equation", c.off_equation},
                                     {"noise", c.noise}});
      }
    }
  }
  return json;
}

/// The number of directions whose tangents take as long as the adjoint, from times of 1 and many.
double add_directions(const Settings& settings, Part& part) {
  Table table{.title = "Tangents along K directions in one pass beside one adjoint, ms",
              .header = {"d", "parameters", "adjoint", "K = 1", "K = 8", "K = 64",
                         "as long as the adjoint: K"}};
  const Route adjoint{.name = "", .method = GradientMethod::adjoint};
  std::vector<double> breaks;
  for (const int d : {2, 16}) {
    for (const int hidden : {8, 64}) {
      const Workload load{.state = d, .hidden = hidden};
      ExactGradients exact(load, 0, settings);
      const GradientCost back = gradient_cost(adjoint, exact);
      std::vector<std::string> row{fmt::format("{}", d), fmt::format("{}", back.parameters),
                                   number(1e3 * back.seconds, 2)};
      double seconds[3];
      std::size_t i = 0;
      for (const std::size_t k : {std::size_t{1}, std::size_t{8}, std::size_t{64}}) {
        seconds[i] = tangent_seconds(load, k, settings);
        row.push_back(number(1e3 * seconds[i++], 2));
      }
      const double each = (seconds[2] - seconds[0]) / 63;
      breaks.push_back(std::max(0.0, 1 + (back.seconds - seconds[0]) / each));
      row.push_back(number(breaks.back(), 1));
      table.rows.push_back(row);
      part.numbers["directions"].push_back({{"state", d},
                                            {"parameters", back.parameters},
                                            {"adjoint_seconds", back.seconds},
                                            {"tangent_seconds", seconds},
                                            {"as_long_as_the_adjoint", breaks.back()}});
    }
  }
  part.tables.push_back(table);
  std::ranges::sort(breaks);
  return breaks[breaks.size() / 2];
}

/// Every method on reversible Heun's chain, which all of them take, in both calculuses.
void add_one_chain(const std::vector<Route>& by, const Settings& settings, Part& part) {
  Table table{.title =
                  "All routes on one chain, reversible Heun’s, at the common setting: the "
                  "conversion of Itô’s calculus is part of its cost",
              .header = {"calculus", "route", "time, ms", "workspace, MiB", "off the chain’s, %"}};
  for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
    ExactGradients exact({.calculus = calculus}, 0, settings);
    for (Route route : by) {
      route.solver = Solver::reversible_heun;
      const GradientCost c = gradient_cost(route, exact);
      table.rows.push_back({std::string(name(calculus)), route.name, number(1e3 * c.seconds, 2),
                            number(static_cast<double>(c.workspace) / (1 << 20), 3),
                            fmt::format("{:.2g}", 100 * c.off_chain)});
      part.numbers["one_chain"].push_back({{"calculus", name(calculus)},
                                           {"route", route.name},
                                           {"seconds", c.seconds},
                                           {"workspace_bytes", c.workspace},
                                           {"off_chain", c.off_chain}});
    }
  }
  part.tables.push_back(table);
}

}  // namespace

Part gradient_routes(const Settings& settings) {
  Part part{.name = "routes", .title = "What each route costs, and what it is off by"};
  const std::vector<Route> by = routes();
  const std::vector<Sweep> all = measure_sweeps(by, settings);
  const double directions = add_directions(settings, part);
  add_one_chain(by, settings, part);
  part.findings = recommendation(all, by, directions);
  part.numbers["recommendation"] = part.findings;
  part.numbers["sweeps"] = as_json(all, by);
  part.text.push_back(
      "Gradient of the mean of ½|x_T|² + E with respect to all parameters: drift, diagonal "
      "diffusion and feedback control, each a net with one hidden layer, in Itô’s calculus. "
      "Reversal runs reversible Heun, the other routes Euler–Maruyama. One number is moved at a "
      "time from 64 steps, d = 4, 8 hidden units and 256 paths. A route that takes longer than a "
      "quarter of a second goes no further.");
  part.figures.push_back(
      {.title = part.findings.front(),
       .caption = "Time of one gradient, forward run included; the shortest of at least three "
                  "runs on this machine.",
       .panels =
           panels(all, by, "time, ms", [](const GradientCost& c) { return 1e3 * c.seconds; })});
  part.figures.push_back(
      {.title =
           "The adjoint’s workspace grows with the steps, its checkpoints’ with their root, the "
           "others’ not at all",
       .caption = "Workspace the caller provides, in which the adjoint keeps states.",
       .panels = panels(all, by, "workspace, MiB", [](const GradientCost& c) {
         return static_cast<double>(c.workspace) / (1 << 20);
       })});
  auto resident = panels(all, by, "peak resident memory, MiB",
                         [](const GradientCost& c) { return c.resident / (1 << 20); });
  if (!resident.empty()) {
    part.figures.push_back(
        {.title = "Peak memory of the whole program tells the same story",
         .caption = "The most memory that `ito gradient` had resident, run as a process of its "
                    "own: program, paths and results included.",
         .panels = std::move(resident)});
  }
  part.figures.push_back(
      {.title = "Only the stochastic adjoint is off the chain’s own gradient",
       .caption = "Relative distance from the exact adjoint of the same chain on the same paths. "
                  "The others differ by rounding.",
       .panels =
           panels(all, by, "relative error", [](const GradientCost& c) { return c.off_chain; })});
  Figure equation{.title =
                      "Against the equation, what the step leaves out is larger than what the "
                      "route does",
                  .caption =
                      "Left: relative distance from the exact gradient on a grid of 2048 "
                      "steps on the same Brownian paths. Others: relative standard error of "
                      "the mean over the paths, alike for all routes: on the same chain "
                      "they are one estimator.",
                  .panels = {}};
  for (Panel& panel :
       panels(all, by, "off the equation’s", [](const GradientCost& c) { return c.off_equation; }))
    equation.panels.push_back(std::move(panel));
  for (Panel& panel :
       panels(all, by, "relative standard error", [](const GradientCost& c) { return c.noise; }))
    equation.panels.push_back(std::move(panel));
  part.figures.push_back(equation);
  part.tables.push_back(table_of(all, by));
  return part;
}

}  // namespace ito::lab::study
