#include "study/convergence.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ito::study {
namespace {

/// The slope of log₂ errors over ℓ.
class Fit {
 public:
  explicit Fit(const std::vector<Convergence::Point>& points) {
    std::size_t used = 0;
    for (const auto& point : points) used += point.used;
    columns_ = used >= 4 ? 3 : 2;
    for (std::size_t l = 0; l < points.size(); ++l) {
      if (!points[l].used) continue;
      // Terms the fit leaves out bend it by a few thousandths whatever the number of paths.
      const double relative = points[l].standard_error / points[l].error / std::log(2.0);
      weights_.push_back(1 / (relative * relative + 4e-6));
      rows_.push_back({1.0, -static_cast<double>(l), std::exp2(-static_cast<double>(l))});
    }
  }

  double order(const std::vector<double>& logarithms) const {
    double a[3][4] = {};
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      for (std::size_t i = 0; i < columns_; ++i) {
        for (std::size_t j = 0; j < columns_; ++j)
          a[i][j] += weights_[r] * rows_[r][i] * rows_[r][j];
        a[i][3] += weights_[r] * rows_[r][i] * logarithms[r];
      }
    }
    for (std::size_t i = 0; i < columns_; ++i) {  // Gauss and Jordan; positive definite
      for (std::size_t k = 0; k < columns_; ++k) {
        if (k == i) continue;
        const double factor = a[k][i] / a[i][i];
        for (std::size_t j = 0; j < 4; ++j) a[k][j] -= factor * a[i][j];
      }
    }
    return a[1][3] / a[1][1];
  }

 private:
  std::size_t columns_;
  std::vector<double> weights_;
  std::vector<std::vector<double>> rows_;
};

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
  const Fit fit(result.points);
  const auto order = [&](const auto& value) {
    std::vector<double> logarithms;
    for (std::size_t l = 0; l < levels; ++l)
      if (result.points[l].used) logarithms.push_back(std::log2(value(l)));
    return fit.order(logarithms);
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

}  // namespace ito::study
