#include <fmt/format.h>

#include "cli/figures.hpp"

namespace ito::cli {

bool holds_images(const LatentModel& latent) {
  const int side = static_cast<int>(std::lround(std::sqrt(latent.observed)));
  return latent.model.save.size() == 1 && side >= 4 && side * side == latent.observed;
}

std::string observation_noun(const LatentModel& latent) {
  if (holds_images(latent)) return "image";
  return latent.model.save.size() > 1 ? "sequence" : "observation";
}

std::string axes(const std::string& title, const std::string& x_label, const std::string& y_label) {
  return fmt::format(
      "set encoding utf8\nset minussign\nset title '{}' tc rgb '{}'\n"
      "set xlabel '{}' tc rgb '{}'\nset ylabel '{}' tc rgb '{}'\n"
      "set border 3 lc rgb '#9aa0a8' lw 1\n"
      "set tics nomirror out scale 0.5 tc rgb '#4a4f57'\n"
      "set grid ytics lc rgb '#e8eaee' lw 1 lt 1 dt 1\n"
      "set key below horizontal samplen 2 spacing 1.1 tc rgb '#4a4f57'\n"
      "set style fill transparent solid 1.0 noborder\n"
      "set datafile missing 'NaN'\n",
      title, ink, x_label, ink, y_label, ink);
}

}  // namespace ito::cli
