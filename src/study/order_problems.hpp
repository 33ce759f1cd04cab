#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ito/model.hpp>

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

}  // namespace ito::lab::study
