#include "study/study.hpp"

#include <fmt/format.h>

namespace ito::study {

Spread spread(const std::vector<double>& values) {
  Spread result;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) result.mean += value / count;
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.error = std::sqrt(squares / (count - 1) / count);
  return result;
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  const std::string text = fmt::format("{:.{}f}", std::abs(value), digits);
  const bool zero = text.find_first_not_of("0.") == std::string::npos;
  return (value < 0 && !zero ? "−" : "") + text;
}

std::string plus_minus(double value, double error, int digits) {
  return number(value, digits) + " ± " + number(error, digits);
}

const std::vector<PartKind>& parts() {
  static const std::vector<PartKind> all{
      {"diffusion-limit", "bounds of k layers as k grows, against closed forms and on digits", 3,
       diffusion_limit},
      {"paper", "the paper's experiment: mesh sizes and numbers of samples", 2, paper_experiment},
      {"expressivity", "neural SDEs from one point to any target", 2.5, expressivity},
      {"samplers", "unnormalised targets: log Z, effective sample size, four losses", 5.5,
       samplers},
      {"inference", "gaps, importance-weighted bounds and calibration of three controls", 1.5,
       inference_quality}};
  return all;
}

}  // namespace ito::study
