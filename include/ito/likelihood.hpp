#pragma once

#include <variant>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

/// Observation models p(y | η), element by element over the D observed dimensions, where η is what
/// the decoder gives. log p includes every constant, so that bounds are in nats and comparable. On
/// the reference it is computed in double; in float32 it is off by what an η off by a few ulps
/// changes, and a few parts in 10⁷ of how far it is below its best.

/// y ~ N(η, scale²), scale from 1e-30 to 1e30. With `learned` the parameter `likelihood.log_scale`
/// starts at its logarithm: [1], or [D] where each number has a scale of its own. Numbers of y that
/// are missing have no part in its gradient.
struct Gaussian {
  double scale = 1.0;
  std::vector<double>
      scales{};  ///< [D], of each number of y, in place of `scale`; empty: one scale
  bool learned = false;
};
/// y ∈ {0, 1}, P(y = 1) = sigmoid(η).
struct Bernoulli {};
/// y ∈ {0, …, count}, y ~ Binomial(count, sigmoid(η)); count up to 2²⁴.
struct Binomial {
  int count = 1;
};
/// y ∈ {0, 1, …}, y ~ Poisson(exp η).
struct Poisson {};
/// (y − η)/scale ~ Student-t with `degrees` degrees of freedom, 1e-6 to 1e12; the rest as for
/// Gaussian.
struct StudentT {
  double degrees = 4.0;
  double scale = 1.0;
  std::vector<double> scales{};
  bool learned = false;
};
using Likelihood = std::variant<Gaussian, Bernoulli, Binomial, Poisson, StudentT>;

}  // namespace ito
#pragma GCC visibility pop
