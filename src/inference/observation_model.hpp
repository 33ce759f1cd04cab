#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ito/likelihood.hpp>

#include "kernels/arithmetic/likelihood.cuh"

namespace ito {

/// Counts up to here are exact as floats.
inline constexpr int largest_count = 1 << 24;

/// Logarithms of a likelihood's scale: of all numbers of y, or of each of the D at one time.
struct LogScales {
  double all = 0;
  std::vector<double> each{};  ///< [D], in place of `all`; or empty

  LogScales(double of_all = 0) : all(of_all) {}  // NOLINT: one scale is written as a number
  /// Of number `element` of a row of T·D.
  double of(std::size_t element) const { return each.empty() ? all : each[element % each.size()]; }
  std::size_t count() const { return each.empty() ? 1 : each.size(); }
};

/// Rows of y, decoded rows η of the paths that try to explain them, and how they go together.
/// `Real` is what η and the derivatives are computed in.
template <class Real>
struct BasicObservedPaths {
  std::span<const float> y;                ///< [R, L], L = T·D numbers; NaN: missing
  std::span<const RowConstant> constants;  ///< [R], ObservationModel::constant of each row of y
  std::span<const Real> eta;               ///< [R·S, L], S paths of an observation in a row
  std::size_t paths_per_observation = 1;   ///< S
};

/// Caller-owned results of one pass; an empty span is not written. N = R·S.
template <class Real>
struct BasicObservationTerms {
  std::span<double> log_probability;       ///< [N], log p(y|η), every constant included
  std::span<Real> eta_derivative;          ///< [N, L], ∂ log p / ∂η
  std::span<double> log_scale_derivative;  ///< [N, scales], ∂ log p / ∂ log scale; 0 without any
};

/// The arithmetic of one Likelihood. The kind is looked at once a call, never inside the loop over
/// numbers, which runs on SIMD registers; sums over a row are taken in double, in a fixed order.
class ObservationModel {
 public:
  explicit ObservationModel(const Likelihood& likelihood) : likelihood_(likelihood) {}

  /// The learned logarithms, [1] or [D], or without any those of the description's scales; 0 for
  /// likelihoods without a scale.
  LogScales log_scales(std::span<const float> learned = {}) const;

  /// The part of log p(row|η) that depends on neither η nor the scale; of counts, log p at the η
  /// that explains them best. Missing numbers, NaN, have no part in it.
  RowConstant constant(std::span<const float> row) const;

  /// log p(y|η) of the numbers that are not missing, and its derivatives, which are 0 by the η of
  /// those that are. Nothing is allocated, but for [D] where numbers have scales of their own. In
  /// float32 the error of a number is that of an η off by a few ulps (of 1, where |η| is less), and
  /// a few parts in 10⁷ of how far log p is below its best.
  template <class Real = float>
  void evaluate(const BasicObservedPaths<Real>& paths, const LogScales& log_scales, int threads,
                const BasicObservationTerms<Real>& terms) const;

  /// E[y|η] (a Student-t's centre, which is its mean where it has one).
  double mean(double eta) const;

  /// One draw of y ~ p(·|η) for number `element` of row `row`: a function of its arguments alone.
  /// Throws ito::Error when a Poisson mean exp(η) is too large for a count.
  double draw(double eta, double log_scale, std::uint64_t seed, std::uint64_t row,
              std::uint32_t element) const;

  /// Which values of y there are, in words; and whether `y` is one of them.
  std::string accepted_values() const;
  bool accepts(float y) const;

  const Likelihood& likelihood() const { return likelihood_; }

 private:
  Likelihood likelihood_;
};

}  // namespace ito
