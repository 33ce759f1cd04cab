#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ito/model.hpp>

#include "study/convergence.hpp"
#include "study/study.hpp"

namespace ito::lab::study {

/// An Itô equation on [0, 1] to measure orders on.
struct OrderProblem {
  std::string name;
  NoiseKind noise;  ///< what the orders declared for it hold of
  Model model{};    ///< without grid and solver
  std::vector<float> parameters{};
  /// X_1 from W_1 [m], where it depends on nothing else of the path.
  std::function<std::vector<double>(std::span<const float> w)> exact_end{};
  std::optional<double> half_square{};  ///< the exact mean of ½|X_1|², where it is known
  bool closed_form = false;             ///< exact_end or half_square are there
};

/// For every kind of noise one with a closed form and one of random nets; and columns that commute,
/// which count as diagonal.
std::vector<OrderProblem> order_problems();

enum class Sense { strong, weak };

/// One solver on one problem.
struct MeasuredOrder {
  std::size_t solver, problem;
  double declared = 0;
  Convergence convergence{};
  Convergence extrapolated{};  ///< weak, with a closed form: of 2 m(h/2) − m(h), m the moments
  /// Weak, where the mean alone is known: of the finest grid, the rest extrapolated, less the
  /// exact.
  double limit = 0, limit_error = 0;
  bool has_limit = false;

  std::string verdict() const { return convergence.verdict(declared); }
};

/// Every solver on every problem whose noise it takes, where it declares an order.
std::vector<MeasuredOrder> measure_orders(Sense sense, const std::vector<OrderProblem>& problems,
                                          const Settings& settings);

}  // namespace ito::lab::study
