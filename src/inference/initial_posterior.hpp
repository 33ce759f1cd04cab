#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/shape.hpp"

namespace ito {

/// The posterior of X_0: q(x_0|y) = N(μ_q, diag σ_q²), whose [μ_q, log σ_q] an encoder gives for
/// each observation, beside the model's Gaussian prior p(x_0). A path starts at μ_q + σ_q z with
/// the contract's noise for initial states, so that with q = p it starts where the model's own
/// would. log q/p of its start belongs to the log weight and is split as Girsanov's ratio is: the
/// divergence KL(q‖p) is part of its energy, and what is left, of mean zero, of its martingale.
template <class Real>
class InitialPosterior {
 public:
  /// Observations r of S paths each, path i·S + s of which has global index first_path + i·S + s.
  struct Block {
    std::span<const Real> heads;  ///< [R, 2d]: μ_q, then log σ_q
    std::size_t samples = 1;      ///< S
    std::uint64_t seed = 0, first_path = 0;
  };

  explicit InitialPosterior(const ModelShape& shape) : shape_(shape) {}

  /// x0 [R·S, d]; adds to energy and martingale [R·S].
  void draw(std::span<const Real> parameters, const Block& block, std::span<Real> x0,
            std::span<double> energy, std::span<double> martingale);

  /// Given cotangents of x0, energy and martingale of the last `draw`, those of the heads [R, 2d],
  /// overwritten; adds to `gradient` the prior's. With `detach` the score of q, of mean zero, is
  /// left out (sticking the landing, Roeder et al. 2017), and the prior's gradient is the
  /// divergence's alone.
  void reverse(std::span<const Real> parameters, const Block& block, std::span<const Real> x0,
               std::span<const Real> energy, std::span<const Real> martingale, bool detach,
               std::span<Real> heads, std::span<Real> gradient);

 private:
  const ModelShape& shape_;
  std::vector<double> z_;                   ///< [R·S, d]: of the last draw
  std::vector<double> by_prior_, by_head_;  ///< [2d]: sums of `reverse`
};

}  // namespace ito
