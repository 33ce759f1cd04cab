#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <ito/baselines.hpp>
#include <ito/error.hpp>

#include "inference/optimizer.hpp"
#include "inference/row_scores.hpp"

namespace ito {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t most_columns = 4096;

/// How much further than the correlations among the training columns each candidate trusts the
/// identity.
constexpr std::array shrinkages{1e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05, 0.1,
                                0.2,  0.3,  0.5,  0.7,  0.9,  1.0};

Rows rows_of(const Dataset& data, std::span<const std::size_t> picked) {
  const std::size_t columns = data.times * data.dimension;
  Rows rows(static_cast<Eigen::Index>(picked.size()), static_cast<Eigen::Index>(columns));
  for (std::size_t i = 0; i < picked.size(); ++i)
    for (std::size_t j = 0; j < columns; ++j)
      rows(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
          static_cast<double>(data.row(picked[i])[j]);
  return rows;
}

/// Columns brought to mean 0 and variance 1, and the correlations between them. `cell_variance` is
/// the variance of the noise that dequantises a count, or 0; `floor` keeps constant columns finite.
/// Both belong to a column's variance.
struct StandardColumns {
  Vector mean, deviation;
  Matrix correlation;

  StandardColumns(const Rows& rows, double cell_variance, double floor)
      : mean(rows.colwise().mean()), deviation(rows.cols()), correlation(rows.cols(), rows.cols()) {
    const Rows centred = rows.rowwise() - mean.transpose();
    correlation.noalias() = centred.transpose() * centred / static_cast<double>(rows.rows());
    correlation.diagonal().array() += cell_variance + floor;
    deviation = correlation.diagonal().cwiseSqrt();
    const Vector inverse = deviation.cwiseInverse();
    correlation = inverse.asDiagonal() * correlation * inverse.asDiagonal();
  }
};

/// log N(row) for every row, averaged over the dequantising noise: with y + u, E[u] = ½ and
/// Var[u] = 1/12, the quadratic form's mean is its value at the centre of the cell plus
/// tr(precision)/12, exactly.
Vector log_densities(const StandardColumns& columns, double shrinkage, double cell_variance,
                     const Rows& rows) {
  const Eigen::Index dimension = rows.cols();
  Matrix shrunk = (1 - shrinkage) * columns.correlation;
  shrunk.diagonal().array() += shrinkage;
  const Eigen::LLT<Matrix> factor(shrunk);
  if (factor.info() != Eigen::Success)
    return Vector::Constant(rows.rows(), -std::numeric_limits<double>::infinity());
  const Vector inverse = columns.deviation.cwiseInverse();
  Matrix standard = inverse.asDiagonal() * (rows.rowwise() - columns.mean.transpose()).transpose();
  factor.matrixL().solveInPlace(standard);
  double constant = -factor.matrixLLT().diagonal().array().log().sum() -
                    columns.deviation.array().log().sum() -
                    0.5 * static_cast<double>(dimension) * std::log(2 * std::numbers::pi);
  if (cell_variance > 0) {
    Matrix half = inverse.asDiagonal();
    factor.matrixL().solveInPlace(half);
    constant -= 0.5 * cell_variance * half.squaredNorm();
  }
  return (-0.5 * standard.colwise().squaredNorm().transpose()).array() + constant;
}

double best_shrinkage(const Dataset& training, std::span<const std::size_t> order,
                      double cell_variance, double floor) {
  const std::size_t validation = order.size() / 5;
  if (validation == 0) return 1.0;
  const StandardColumns columns(rows_of(training, order.subspan(validation)), cell_variance, floor);
  const Rows unseen = rows_of(training, order.first(validation));
  double best = 1.0, best_score = -std::numeric_limits<double>::infinity();
  for (const double shrinkage : shrinkages) {
    const double score = log_densities(columns, shrinkage, cell_variance, unseen).mean();
    if (score > best_score) best = shrinkage, best_score = score;
  }
  return best;
}

}  // namespace

BaselineScore full_gaussian(const Likelihood& likelihood, const Dataset& training,
                            const Dataset& held_out, std::uint64_t seed) {
  check_baseline_data(likelihood, training, held_out);
  if (const std::size_t columns = training.times * training.dimension; columns > most_columns)
    throw Error("full_gaussian: data columns", fmt::format("{}", columns),
                fmt::format("up to {}", most_columns));
  const double cell_variance = is_count(likelihood) ? 1.0 / 12.0 : 0.0;
  const double floor = variance_floor(likelihood, training);
  std::vector<std::size_t> order(training.count), all(held_out.count);
  random_order(seed, 0, order);
  std::iota(all.begin(), all.end(), std::size_t{0});
  const double shrinkage = best_shrinkage(training, order, cell_variance, floor);
  const StandardColumns columns(rows_of(training, order), cell_variance, floor);
  const Vector scores = log_densities(columns, shrinkage, cell_variance, rows_of(held_out, all));
  return score_rows("full-covariance Gaussian",
                    {scores.data(), static_cast<std::size_t>(scores.size())});
}

}  // namespace ito
