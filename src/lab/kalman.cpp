#include <ito/lab/kalman.hpp>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "lab/kalman_times.hpp"
#include "lab/linear_system.hpp"

namespace ito::lab {
namespace {

struct Law {
  Vector mean;
  Matrix covariance;
};

/// What is observed at one time, as the update took it.
struct Update {
  Matrix readout;                 ///< H [n, d], the rows of C that are observed
  Eigen::LLT<Matrix> innovation;  ///< of H P Hᵀ + R [n, n]
  Matrix kept;                    ///< I − K H, K the gain
  Vector residual;                ///< y − H x − c
};

/// A time that the filter stops at.
struct Node {
  Matrix propagator;  ///< from the one before
  std::optional<Update> update;
  Law filtered;
};

class Filter {
 public:
  Filter(const LinearGaussianModel& model, const Series& series)
      : system_(model), series_(series), law_{system_.start_mean, system_.start_covariance} {}

  /// Moves over a time of h.
  void predict(double h, bool exact) {
    if (h > 0) {
      const LinearTransition step = exact ? system_.exact(h) : system_.euler(h);
      law_.mean = (step.propagator * law_.mean + step.shift).eval();
      law_.covariance = (step.propagator * law_.covariance * step.propagator.transpose()).eval() +
                        step.covariance;
      nodes_.push_back({step.propagator, {}, law_});
    } else {
      nodes_.push_back({Matrix::Identity(law_.mean.size(), law_.mean.size()), {}, law_});
    }
  }

  /// Takes up what is observed at time j of the series; its log density given what was before.
  double update(std::size_t j) {
    const std::vector<Eigen::Index> seen = seen_at(j);
    if (seen.empty()) return 0;
    const Matrix noise = system_.observation_covariance(seen, seen);
    Update update;
    update.readout = system_.readout(seen, Eigen::all);
    update.residual = values_at(j)(seen) - system_.offset(seen) - update.readout * law_.mean;
    const Matrix cross = update.readout * law_.covariance;
    update.innovation.compute(cross * update.readout.transpose() + noise);
    const Matrix gain = update.innovation.solve(cross).transpose();
    update.kept = Matrix::Identity(law_.mean.size(), law_.mean.size()) - gain * update.readout;
    const Vector white = update.innovation.matrixL().solve(update.residual);
    law_.mean += gain * update.residual;
    // Joseph's form stays symmetric and non-negative.
    law_.covariance = (update.kept * law_.covariance * update.kept.transpose()).eval() +
                      gain * noise * gain.transpose();
    const double log_determinant = 2 * update.innovation.matrixLLT().diagonal().array().log().sum();
    nodes_.back().update = std::move(update);
    nodes_.back().filtered = law_;
    return -0.5 * (static_cast<double>(seen.size()) * std::log(2 * std::numbers::pi) +
                   log_determinant + white.squaredNorm());
  }

  const std::vector<Node>& nodes() const { return nodes_; }

  /// Laws at all nodes given everything. λ and Λ are minus the gradient and curvature of the log
  /// density of what comes later, as a function of the state.
  std::vector<Law> smoothed() const {
    const Eigen::Index d = law_.mean.size();
    Vector gradient = Vector::Zero(d);
    Matrix curvature = Matrix::Zero(d, d);
    std::vector<Law> laws(nodes_.size());
    for (std::size_t k = nodes_.size(); k-- > 0;) {
      const Node& node = nodes_[k];
      const Matrix& covariance = node.filtered.covariance;
      laws[k] = {node.filtered.mean - covariance * gradient,
                 covariance - covariance * curvature * covariance};
      if (node.update) {
        const Update& update = *node.update;
        const Matrix turned = update.readout.transpose();
        gradient = (update.kept.transpose() * gradient).eval() -
                   turned * update.innovation.solve(update.residual);
        curvature = (update.kept.transpose() * curvature * update.kept).eval() +
                    turned * update.innovation.solve(update.readout);
      }
      gradient = (node.propagator.transpose() * gradient).eval();
      curvature = (node.propagator.transpose() * curvature * node.propagator).eval();
    }
    return laws;
  }

 private:
  Vector values_at(std::size_t j) const {
    Vector values(system_.offset.size());
    for (Eigen::Index i = 0; i < values.size(); ++i)
      values(i) = static_cast<double>(series_.values[j * static_cast<std::size_t>(values.size()) +
                                                     static_cast<std::size_t>(i)]);
    return values;
  }

  std::vector<Eigen::Index> seen_at(std::size_t j) const {
    const Vector values = values_at(j);
    std::vector<Eigen::Index> seen;
    for (Eigen::Index i = 0; i < values.size(); ++i)
      if (!std::isnan(values(i))) seen.push_back(i);
    return seen;
  }

  LinearSystem system_;
  const Series& series_;
  Law law_;
  std::vector<Node> nodes_;
};

void append(GaussianLaws& laws, const Vector& mean, const Matrix& covariance) {
  for (const double number : mean) laws.mean.push_back(number);
  for (const double number : numbers_of(covariance)) laws.covariance.push_back(number);
}

}  // namespace

KalmanResult kalman(const LinearGaussianModel& model, const Series& series,
                    std::span<const double> times, const LinearScheme& scheme) {
  Filter filter(model, series);
  const std::vector<KalmanStop> stops = kalman_stops(model, series, times, scheme);
  const bool exact = std::holds_alternative<ExactTransitions>(scheme);
  KalmanResult result;
  result.log_densities.resize(series.length());
  double before = model.start_time;
  for (const KalmanStop& stop : stops) {
    filter.predict(stop.time - before, exact);
    before = stop.time;
    if (!stop.observation) continue;
    const double log_density = filter.update(*stop.observation);
    result.log_densities[*stop.observation] = log_density;
    result.log_density += log_density;
  }
  if (times.empty()) return result;
  const std::vector<Law> smoothed = filter.smoothed();
  for (std::size_t k = 0; k < stops.size(); ++k) {
    if (!stops[k].asked) continue;
    const Law& filtered = filter.nodes()[k].filtered;
    append(result.filtered, filtered.mean, filtered.covariance);
    append(result.smoothed, smoothed[k].mean, smoothed[k].covariance);
  }
  return result;
}

GaussianLaws observed_laws(const LinearGaussianModel& model, const GaussianLaws& states) {
  const LinearSystem system(model);
  const auto d = static_cast<std::size_t>(model.state);
  const std::size_t count = states.mean.size() / d;
  if (states.mean.size() != count * d || states.covariance.size() != count * d * d)
    throw Error(
        "states",
        fmt::format("{} means and {} covariances", states.mean.size(), states.covariance.size()),
        fmt::format("{} and {} numbers for each time", d, d * d));
  GaussianLaws laws;
  for (std::size_t i = 0; i < count; ++i) {
    const Eigen::Map<const Vector> mean(states.mean.data() + i * d, model.state);
    // Symmetric, so that the order of its axes does not matter.
    const Eigen::Map<const Matrix> covariance(states.covariance.data() + i * d * d, model.state,
                                              model.state);
    append(
        laws, system.readout * mean + system.offset,
        system.readout * covariance * system.readout.transpose() + system.observation_covariance);
  }
  return laws;
}

}  // namespace ito::lab
