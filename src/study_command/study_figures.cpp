#include "study_command/study_figures.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ito::cli {
namespace {

using study::Axis;
using study::Panel;
using study::Series;

constexpr const char* green = "#4b8b5b";
constexpr const char* purple = "#7a4f93";
constexpr const char* red = "#b23a48";
constexpr const char* ochre = "#b08d2b";
constexpr const char* palette[] = {blue, orange, grey, green, purple, red, ochre};

const char* colour_of(const Series& series) {
  return palette[static_cast<std::size_t>(series.colour) % std::size(palette)];
}

bool has_bars(const Series& series) {
  return std::ranges::any_of(series.error, [](double e) { return e > 0; });
}

/// Text between gnuplot's single quotes, where an apostrophe would end it.
std::string unquoted(std::string text) {
  for (std::size_t at; (at = text.find('\'')) != std::string::npos;) text.replace(at, 1, "’");
  return text;
}

std::string plot_clause(const Series& series, const std::string& table) {
  const std::string colour = fmt::format("lc rgb '{}'", colour_of(series));
  const std::string title =
      series.name.empty() ? "notitle" : fmt::format("title '{}'", unquoted(series.name));
  const char* dash = series.dashed ? " dt 2" : "";
  switch (series.style) {
    case Series::Style::line:
      return fmt::format("'{}' using 1:2 with lines lw 2{} {} {}", table, dash, colour, title);
    case Series::Style::points:
    case Series::Style::linked: {
      const bool linked = series.style == Series::Style::linked;
      std::string text;
      // Bars first: gnuplot blanks out a disc below each.
      if (has_bars(series))
        text = fmt::format("'{}' using 1:2:3 with yerrorbars pt 7 ps 0.1 lw 1.4 {} notitle, ",
                           table, colour);
      text += fmt::format("'{}' using 1:2 with {} pt 7 ps 0.55 lw 1.6{} {} {}", table,
                          linked ? "linespoints" : "points", dash, colour, title);
      return text;
    }
    case Series::Style::dots:
      return fmt::format("'{}' using 1:2 with points pt 7 ps 0.12 {} {}", table, colour, title);
    case Series::Style::steps:
      return fmt::format("'{}' using 1:2 with histeps lw 1.6 {} {}", table, colour, title);
    case Series::Style::band:
      return fmt::format("'{}' using 1:($2-$3):($2+$3) with filledcurves fc rgb '#e3e6eb' {}",
                         table, title);
    case Series::Style::arrows:
      return fmt::format(
          "'{}' using 1:2:4:5 with vectors head size graph 0.015,25 filled lw 1 {} {}", table,
          colour, title);
  }
  return "";
}

std::string table_of(Gnuplot& gnuplot, const Series& series) {
  std::vector<double> error = series.error;
  error.resize(series.x.size());
  std::vector<std::vector<double>> columns{series.x, series.y, error};
  if (series.style == Series::Style::arrows) columns.insert(columns.end(), {series.dx, series.dy});
  return gnuplot.table(columns);
}

std::string range(const char* axis, const Axis& of) {
  std::string text;
  if (of.logarithmic) {
    text += fmt::format("set logscale {} {}\n", axis, *axis == 'x' ? 2 : 10);
    text += fmt::format("set format {} '%g'\n", axis);
  }
  if (of.least < of.most) text += fmt::format("set {}range [{}:{}]\n", axis, of.least, of.most);
  if (!of.names.empty()) {
    std::string ticks;
    for (std::size_t i = 0; i < of.names.size(); ++i)
      ticks += fmt::format("{}'{}' {}", i > 0 ? ", " : "", unquoted(of.names[i]), i);
    text += fmt::format("set {}tics ({}) rotate by -30\n", axis, ticks);
  }
  return text;
}

}  // namespace

Figure draw(Gnuplot& gnuplot, const study::Figure& figure) {
  Figure drawn{.title = figure.title, .caption = figure.caption, .panels = {}};
  for (const Panel& panel : figure.panels) {
    std::string script =
        axes(unquoted(panel.title), unquoted(panel.x.label), unquoted(panel.y.label));
    script += range("x", panel.x) + range("y", panel.y);
    if (panel.square) {
      // A small panel has room for few numbers.
      const int spacing = panel.x.most - panel.x.least > 12 ? 5 : 2;
      script += fmt::format("set size ratio -1\nset xtics {0}\nset ytics {0}\n", spacing);
    }
    std::string clauses;
    std::size_t named = 0;
    for (const Series& series : panel.series) {
      if (series.x.empty()) continue;
      named += series.name.empty() ? 0 : 1;
      if (!clauses.empty()) clauses += ", ";
      clauses += plot_clause(series, table_of(gnuplot, series));
    }
    if (clauses.empty()) continue;
    if (named == 0) script += "unset key\n";
    if (named > 1) script += "set key below vertical maxrows 9\n";
    const int width = panel.square ? 270 : panel_width;
    const int height =
        panel.square ? 280 + (named ? 30 : 0) : panel_height + 18 * static_cast<int>(named);
    drawn.panels.push_back(
        {gnuplot.svg(script + fmt::format("plot {}\n", clauses), width, height), panel.title});
  }
  return drawn;
}

}  // namespace ito::cli
