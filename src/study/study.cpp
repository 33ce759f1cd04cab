#include "study/study.hpp"

#include <fmt/format.h>

namespace ito::lab::study {

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

const std::vector<Study>& studies() {
  static const std::vector<Study> all{
      {"study",
       "Measure the claims about neural SDEs; write a report and its numbers to a folder",
       "Neural SDEs in the diffusion limit: a study",
       "What Tzen & Raginsky (arXiv:1905.09883) claim, measured.",
       true,
       Study::Data::digits,
       {{"diffusion-limit", "bounds of k layers as k grows, against closed forms and on digits",
         0.7, diffusion_limit},
        {"paper", "the paper's experiment: mesh sizes and numbers of samples", 0.4,
         paper_experiment},
        {"expressivity", "neural SDEs from one point to any target", 1.2, expressivity},
        {"samplers", "unnormalised targets: log Z, effective sample size, four losses", 6,
         samplers},
        {"inference", "gaps, importance-weighted bounds and calibration of three controls", 1,
         inference_quality}}},
      {"orders",
       "Measure the strong and weak order of every solver on every kind of noise it takes",
       "Orders of convergence: declared and measured",
       "Every solver of `ito solvers` on every kind of noise it takes.",
       false,
       Study::Data::none,
       {{"strong", "mean square distance of paths at h and h/2, or from the exact path", 2,
         strong_orders},
        {"weak", "differences of means between coupled grids", 3, weak_orders}}},
      {"gradients",
       "Measure error, variance, time and memory of every route to the gradient",
       "Routes to the gradient: which to take when",
       "Every gradient method of `ito solvers`.",
       false,
       Study::Data::none,
       {{"convergence", "the stochastic adjoint against the exact gradient, with a σ that mixes", 1,
         gradient_convergence},
        {"reversal", "gradients from steps undone, in float32 and double", 0.2, reversal},
        {"routes", "bias, variance, time and memory over steps, d, parameters and paths", 2,
         gradient_routes}}},
      {"series",
       "Fit models of time series to data that are known, and score forecasts and imputations",
       "Time series: what is found, forecast and filled in",
       "Irregular times, gaps and noise, on data whose truth is known and on human walks.",
       true,
       Study::Data::mocap,
       {{"ou", "parameters of an Ornstein–Uhlenbeck process, and whether σ collapses", 40,
         ornstein_uhlenbeck},
        {"encoders", "a pendulum with gaps: three encoders, forecasts and imputations", 8,
         series_encoders},
        {"lorenz", "a stochastic Lorenz attractor: generated ones beside real ones", 8, lorenz},
        {"mocap", "walks: forecasts from the first 3 and from 200 of 300 frames", 2,
         motion_capture}}}};
  return all;
}

}  // namespace ito::lab::study
