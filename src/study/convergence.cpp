#include "study/convergence.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace ito::lab::study {
namespace {

/// What each log₂ error of the points used weighs in the slope over ℓ, so that many are cheap.
Eigen::VectorXd slope_weights(const std::vector<Convergence::Point>& points) {
  const auto used = std::ranges::count_if(points, &Convergence::Point::used);
  Eigen::MatrixXd rows(used, used >= 4 ? 3 : 2);
  Eigen::VectorXd weights(used);
  for (Eigen::Index l = 0; l < used; ++l) {  // those used come first
    const Convergence::Point& point = points[static_cast<std::size_t>(l)];
    // Terms the fit leaves out bend it by a few thousandths whatever the number of paths.
    const double relative = point.standard_error / point.error / std::log(2.0);
    weights[l] = 1 / (relative * relative + 4e-6);
    const auto level = static_cast<double>(l);
    rows.row(l).head<2>() << 1.0, -level;
    if (rows.cols() == 3) rows(l, 2) = std::exp2(-level);
  }
  const Eigen::MatrixXd weighted = rows.transpose() * weights.asDiagonal();
  const Eigen::MatrixXd solved = (weighted * rows).ldlt().solve(weighted);
  return solved.row(1).transpose();
}

}  // namespace

Convergence converge(const std::vector<std::vector<std::vector<double>>>& sums, double paths,
                     double first, bool squares) {
  const std::size_t blocks = sums.size(), levels = sums.front().size();
  const auto count = static_cast<double>(blocks);
  /// Of all blocks but one, or of all.
  const auto error = [&](std::size_t l, std::size_t left_out) {
    std::vector<double> total(sums.front()[l].size());
    for (std::size_t b = 0; b < blocks; ++b)
      for (std::size_t i = 0; i < total.size() && b != left_out; ++i) total[i] += sums[b][l][i];
    const double of = (left_out < blocks ? count - 1 : count) * paths;
    if (squares) return std::sqrt(total[0] / of);
    double norm = 0;
    for (const double sum : total) norm += sum * sum;
    return std::sqrt(norm) / of;
  };
  Convergence result;
  std::vector<std::vector<double>> without(blocks, std::vector<double>(levels));
  bool large = true;
  for (std::size_t l = 0; l < levels; ++l) {
    const double value = error(l, blocks);
    double spread = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      without[b][l] = error(l, b);
      spread += std::pow(without[b][l] - value, 2);
    }
    const double standard = std::sqrt((count - 1) / count * spread);
    large = large && value > 4 * standard;  // with one that is not, finer ones are left out too
    result.points.push_back({first * std::exp2(-static_cast<double>(l)), value, standard, large});
  }
  const auto used = std::ranges::count_if(result.points, &Convergence::Point::used);
  if (used < 3) {
    result.half_width = std::numeric_limits<double>::infinity();
    return result;
  }
  const Eigen::VectorXd weights = slope_weights(result.points);
  const auto order = [&](const auto& value) {
    double slope = 0;
    for (Eigen::Index l = 0; l < weights.size(); ++l)
      slope += weights[l] * std::log2(value(static_cast<std::size_t>(l)));
    return slope;
  };
  result.order = order([&](std::size_t l) { return result.points[l].error; });
  double spread = 0;
  for (std::size_t b = 0; b < blocks; ++b)
    spread += std::pow(order([&](std::size_t l) { return without[b][l]; }) - result.order, 2);
  result.half_width = 1.96 * std::sqrt((count - 1) / count * spread);
  return result;
}

std::string Convergence::verdict(double declared) const {
  // Three points leave none to fit the error's next term with.
  const double bend = std::ranges::count_if(points, &Point::used) > 3 ? 0.1 : 0.4;
  if (!std::isfinite(half_width)) return "not resolved";
  if (order + half_width + bend < declared) return "below";
  return order - half_width - bend > declared ? "above" : "within";
}

}  // namespace ito::lab::study
