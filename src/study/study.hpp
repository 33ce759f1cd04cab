#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/gradient_method.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>
#include <nlohmann/json.hpp>

namespace ito::lab::study {

/// One set of numbers of a panel.
struct Series {
  enum class Style {
    line,
    points,  ///< with bars of ± error where there are any
    linked,  ///< points joined by a line
    dots,
    steps,
    band,    ///< between y − error and y + error
    arrows,  ///< from (x, y) by (dx, dy)
  };
  std::string name{};  ///< empty: not in the key
  Style style = Style::line;
  int colour = 0;  ///< 0 blue, 1 orange, 2 grey, 3 green, 4 purple, 5 red, 6 ochre
  bool dashed = false;
  std::vector<double> x{}, y{}, error{}, dx{}, dy{};

  void add(double at, double value, double plus_minus = 0) {
    x.push_back(at);
    y.push_back(value);
    error.push_back(plus_minus);
  }
};

struct Axis {
  std::string label{};  ///< with the unit
  bool logarithmic = false;
  double least = 0, most = 0;        ///< equal: chosen by the data
  std::vector<std::string> names{};  ///< of 0, 1, 2, …, in place of numbers
};

struct Panel {
  std::string title{};
  Axis x{}, y{};
  bool square = false;  ///< one unit is as long on both axes
  std::vector<Series> series{};
};

/// Answers one question; the title is the answer.
struct Figure {
  std::string title{}, caption{};
  std::vector<Panel> panels{};
};

struct Table {
  std::string title{};
  std::vector<std::string> header{};
  std::vector<std::vector<std::string>> rows{};
};

/// What one part of the study found.
struct Part {
  std::string name{};  ///< on the command line and in the JSON
  std::string title{};
  std::vector<std::string> findings{};  ///< one line each; also printed when all is done
  std::vector<std::string> text{};      ///< paragraphs
  std::vector<Figure> figures{};
  std::vector<Table> tables{};
  nlohmann::ordered_json numbers{};
};

/// A gradient to be taken elsewhere.
struct GradientRun {
  const Model& model;
  const Parameters& parameters;
  GradientMethod method;
  std::uint64_t paths;
  std::size_t workspace_limit;
  int threads;
};

struct Settings {
  double effort = 1.0;  ///< scales iterations and sample counts
  std::size_t seeds = 3;
  std::uint64_t seed = 1;         ///< of the first run
  Dataset digits{};               ///< handwritten ones; none: that half of part 1 is left out
  std::filesystem::path mocap{};  ///< folder of mocap35_*.npy; none: that part is left out
  Execution execution{};
  /// Peak resident bytes of one gradient of ½|x_T|² + E by a program of its own; 0 where that
  /// cannot be measured.
  std::function<double(const GradientRun&)> resident_bytes = [](const GradientRun&) { return 0.0; };
  /// Called with what was just done and which fraction of the part that makes; throws to stop.
  std::function<void(const std::string& what, double done)> progress = [](auto&&...) {};

  /// `full` scaled by the effort, at least `least`, a multiple of 16.
  std::size_t scaled(std::size_t full, std::size_t least = 16) const {
    const auto wanted = static_cast<std::size_t>(std::lround(static_cast<double>(full) * effort));
    return (std::max(wanted, least) + 15) / 16 * 16;
  }
  /// For what runs on the host alone, and for comparisons of solvers and of routes to the gradient,
  /// all by one engine.
  Execution host() const {
    const bool reference = execution.device == Device::reference();
    return {reference ? Device::reference() : Device::cpu(), execution.threads};
  }
  /// Whether there is time for the whole of a sweep, or only for its ends.
  bool whole() const { return effort >= 0.25; }
};

/// Mean and standard error over seeds (0 for one).
struct Spread {
  double mean = 0, error = 0;
};
Spread spread(const std::vector<double>& values);

/// "1.234 ± 0.005" to `digits` decimals.
std::string plus_minus(double value, double error, int digits = 3);
std::string number(double value, int digits = 3);

/// Of digits for part 1: 64 numbers from 0 to 16 a row. Throws ito::Error unless there are enough.
void check_digits(const Dataset& digits);

// The parts of the study, in order.
Part diffusion_limit(const Settings& settings);
Part paper_experiment(const Settings& settings);
Part expressivity(const Settings& settings);
Part samplers(const Settings& settings);
Part inference_quality(const Settings& settings);

// Of the orders of convergence.
Part strong_orders(const Settings& settings);
Part weak_orders(const Settings& settings);

// Of the routes to the gradient.
Part gradient_convergence(const Settings& settings);
Part reversal(const Settings& settings);
Part gradient_routes(const Settings& settings);

// Of time series.
Part ornstein_uhlenbeck(const Settings& settings);
Part series_encoders(const Settings& settings);
Part lorenz(const Settings& settings);
Part motion_capture(const Settings& settings);

/// A part by its name on the command line.
struct PartKind {
  std::string name;
  std::string summary;
  double minutes;  ///< on two cores at full effort, for the progress bar
  Part (*run)(const Settings&);
};

/// A command of the program that runs parts and writes what they found.
struct Study {
  std::string name;  ///< the command's, and of its JSON
  std::string summary;
  std::string heading, subtitle;                 ///< of the report
  bool seeded;                                   ///< repeats runs with seeds
  enum class Data { none, digits, mocap } data;  ///< further files it takes
  std::vector<PartKind> parts;                   ///< in order
};
const std::vector<Study>& studies();

}  // namespace ito::lab::study
