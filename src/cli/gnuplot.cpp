#include "cli/gnuplot.hpp"

#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/child_process.hpp"
#include "io/file.hpp"

namespace ito::cli {
namespace {

std::string plot_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.7g}", value) : std::string("NaN");
}

}  // namespace

bool Gnuplot::available() {
  const TemporaryFolder folder;
  return run_child(folder.path(), "gnuplot", {"gnuplot", "--version"}) == 0;
}

std::string Gnuplot::next_name(const char* kind) { return fmt::format("{}-{}", kind, files_++); }

std::string Gnuplot::table(const std::vector<std::vector<double>>& columns) {
  std::string name = next_name("table");
  std::string text;
  for (std::size_t row = 0; row < columns.front().size(); ++row) {
    for (const auto& column : columns) text += plot_number(column[row]) + ' ';
    text += '\n';
  }
  write_file(folder_.path() / name, text);
  return name;
}

std::string Gnuplot::matrix(std::span<const double> values, std::size_t columns) {
  std::string name = next_name("matrix");
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i)
    text += plot_number(values[i]) + ((i + 1) % columns == 0 ? '\n' : ' ');
  write_file(folder_.path() / name, text);
  return name;
}

std::string Gnuplot::run(const std::string& script, const std::string& output) {
  const std::string name = next_name("script");
  write_file(folder_.path() / name, script);
  // -d: the user's own start-up file must not change the pictures.
  const int status = run_child(folder_.path(), "gnuplot", {"gnuplot", "-d", name});
  if (status != 0) {
    throw Error(fmt::format("gnuplot ended with status {}: {}", status,
                            status < 0 ? "not found" : read_file(folder_.path() / "log")));
  }
  return read_file(folder_.path() / output);
}

Picture Gnuplot::svg(const std::string& script, int width, int height) {
  const std::string output = next_name("picture");
  const std::string terminal = fmt::format(
      "set terminal svg size {},{} noenhanced font 'Helvetica,Arial,sans-serif,13' "
      "background rgb 'white'\nset output '{}'\n",
      width, height, output);
  return {"image/svg+xml", run(terminal + script + "\nunset output\n", output), width, height};
}

Picture Gnuplot::png(const std::string& script, int width, int height) {
  const std::string output = next_name("picture");
  const std::string terminal = fmt::format(
      "set terminal pngcairo size {},{} noenhanced font 'sans,20' background rgb 'white'\n"
      "set output '{}'\n",
      2 * width, 2 * height, output);
  return {"image/png", run(terminal + script + "\nunset output\n", output), width, height};
}

}  // namespace ito::cli
