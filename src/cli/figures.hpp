#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cli/fit_report.hpp"
#include "cli/gnuplot.hpp"

namespace ito::cli {

/// Pictures that stand side by side on a wide screen and below each other on a phone.
struct Figure {
  struct Panel {
    Picture picture;
    std::string description;  ///< for readers who do not see it
  };
  std::string title;    ///< what the figure shows
  std::string caption;  ///< how to read it
  std::vector<Panel> panels;
};

/// Bounds, path energy and effective sample size by epoch.
Figure training_figure(Gnuplot& gnuplot, const FitReport& report);

/// Real images beside generated ones, and reconstructions below their originals.
std::vector<Figure> image_figures(Gnuplot& gnuplot, const FitReport& report);

/// The same for sequences (over time) and for vectors (over dimensions).
std::vector<Figure> curve_figures(Gnuplot& gnuplot, const FitReport& report);

/// Latent coordinates along time, under the prior and given each of two observations.
Figure path_figure(Gnuplot& gnuplot, const FitReport& report);

/// Of a model of series: what it makes of two of them, their forecasts from a part, and draws of it
/// beside real ones. What draws each; refers to the arguments.
std::vector<std::function<std::vector<Figure>()>> series_figures(Gnuplot& gnuplot,
                                                                 const FitReport& report);

/// Whether an observation is one square image of at least 4 × 4 pixels.
bool holds_images(const LatentModel& latent);

/// "image", "sequence" or "observation": what the units of the axes are per.
std::string observation_noun(const LatentModel& latent);

// The look all figures share.
inline constexpr const char* blue = "#2b5c8a";
inline constexpr const char* orange = "#c8642b";
inline constexpr const char* grey = "#8a8f98";
inline constexpr const char* ink = "#22262e";
inline constexpr int panel_width = 440;
inline constexpr int panel_height = 320;
/// Axes left and below, light grid, key outside the data.
std::string axes(const std::string& title, const std::string& x_label, const std::string& y_label);

}  // namespace ito::cli
