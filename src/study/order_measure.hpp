#pragma once

#include <string>
#include <vector>

#include "study/convergence.hpp"
#include "study/order_problems.hpp"
#include "study/study.hpp"

namespace ito::lab::study {

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
