#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <ito/sample.hpp>

#include "cli/figures.hpp"
#include "cli/state_paths.hpp"

namespace ito::cli {
namespace {

constexpr std::uint64_t image_seed = 20191;
constexpr std::size_t grid_columns = 8;
constexpr std::size_t grid_rows = 6;
constexpr std::size_t reconstructed_images = 10;

/// Images laid out in rows with a gap of one pixel, NaN in the gaps.
struct Sheet {
  std::vector<double> values;
  std::size_t width = 0, height = 0;
};

Sheet lay_out(std::span<const float> images, std::size_t side, std::size_t columns,
              std::size_t rows) {
  Sheet sheet;
  sheet.width = columns * (side + 1) + 1;
  sheet.height = rows * (side + 1) + 1;
  sheet.values.assign(sheet.width * sheet.height, std::numeric_limits<double>::quiet_NaN());
  const std::size_t size = side * side;
  for (std::size_t i = 0; i < std::min(columns * rows, images.size() / size); ++i) {
    const std::size_t top = (i / columns) * (side + 1) + 1;
    const std::size_t left = (i % columns) * (side + 1) + 1;
    for (std::size_t p = 0; p < size; ++p)
      sheet.values[(top + p / side) * sheet.width + left + p % side] = images[i * size + p];
  }
  return sheet;
}

/// Zero is paper white, `largest` is ink.
Picture draw_sheet(Gnuplot& gnuplot, const Sheet& sheet, double largest, int width) {
  const double scale = static_cast<double>(width) / static_cast<double>(sheet.width);
  const int height = static_cast<int>(std::lround(scale * static_cast<double>(sheet.height)));
  const std::string script = fmt::format(
      "unset key\nunset tics\nunset border\nunset colorbox\n"
      "set lmargin 0\nset rmargin 0\nset tmargin 0\nset bmargin 0\n"
      "set xrange [-0.5:{}.5]\nset yrange [{}.5:-0.5]\nset cbrange [0:{}]\n"
      "set object 1 rectangle from graph 0,0 to graph 1,1 behind fc rgb '#d9dde3' fs solid "
      "noborder\n"
      "set palette defined (0 '#ffffff', 1 '{}')\n"
      "plot '{}' matrix with image pixels\n",
      sheet.width - 1, sheet.height - 1, largest, ink, gnuplot.matrix(sheet.values, sheet.width));
  return gnuplot.png(script, width, height);
}

/// Full ink: the largest value the likelihood allows, or that the data have.
double full_ink(const FitReport& report) {
  if (const auto* binomial = std::get_if<Binomial>(&report.latent.likelihood))
    return binomial->count;
  if (std::holds_alternative<Bernoulli>(report.latent.likelihood)) return 1.0;
  const auto& values = report.shown().values;
  return std::max(1e-6, static_cast<double>(*std::max_element(values.begin(), values.end())));
}

}  // namespace

std::vector<Figure> image_figures(Gnuplot& gnuplot, const FitReport& report) {
  const LatentModel& latent = report.latent;
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(latent.observed)));
  const double largest = full_ink(report);
  const Dataset& data = report.shown();
  const Dataset generated =
      sample(latent, report.parameters, grid_columns * grid_rows,
             {.seed = image_seed, .mean = true, .execution = report.execution});
  const auto grid = [&](std::span<const float> images) {
    return draw_sheet(gnuplot, lay_out(images, side, grid_columns, grid_rows), largest, 400);
  };
  Figure samples{.title = "Generated images beside real ones",
                 .caption =
                     "Left (above on a phone): real images the model was not trained on where "
                     "there are some. Right: the mean image of each of as many paths drawn "
                     "from the prior, not selected.",
                 .panels = {}};
  samples.panels.push_back({grid(data.values), "A grid of real images"});
  samples.panels.push_back({grid(generated.values), "A grid of generated images"});

  const Dataset originals = data.slice(0, std::min(reconstructed_images, data.count));
  std::vector<float> pairs = originals.values;
  const std::vector<float> means = reconstruct(report, originals, image_seed + 1);
  pairs.insert(pairs.end(), means.begin(), means.end());
  Figure pair_figure{.title = "Reconstructions",
                     .caption =
                         "Above: observed images. Below: the mean image over 64 posterior paths "
                         "given the image above.",
                     .panels = {}};
  pair_figure.panels.push_back(
      {draw_sheet(gnuplot, lay_out(pairs, side, originals.count, 2), largest, 820),
       "A row of observed images above a row of their reconstructions"});
  return {samples, pair_figure};
}

}  // namespace ito::cli
