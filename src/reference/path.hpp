#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ito/plan.hpp>

#include "kernels/euler_maruyama.cuh"
#include "model/diffusion.hpp"
#include "model/shape.hpp"
#include "reference/net.hpp"

namespace ito {

/// Cotangents of one path's sums over the step at hand.
struct SumCotangents {
  double energy = 0, martingale = 0;
};

/// One Euler–Maruyama path, one step at a time, and its exact reverse: the executable definition of
/// DESIGN.md, section 1. All buffers are made at construction.
class ReferencePath {
 public:
  explicit ReferencePath(const ModelShape& shape);

  /// What stays the same along a path. `context` is [I, C].
  void bind(const double* parameters, const double* context, std::uint64_t seed,
            std::uint64_t path) {
    parameters_ = parameters;
    context_ = context;
    seed_ = seed;
    path_ = path;
  }

  /// X_0 from the model's own initial distribution.
  void draw_initial(std::span<double> x) const;
  /// Adds the gradient of the initial distribution's parameters, given the cotangent of X_0.
  void reverse_initial(std::span<const double> lambda, double* gradient) const;

  /// x_k → x_{k+1}; the step's parts of E and M.
  SumCotangents step(int k, std::span<double> x);

  /// λ = cotangent of x_{k+1} on entry, of x_k on return. Adds to `gradient` and `context_gradient`
  /// [I, C].
  void reverse(int k, std::span<const double> x, std::span<double> lambda, SumCotangents sums,
               AdjointOptions options, double* gradient, double* context_gradient);

 private:
  void evaluate(int k, std::span<const double> x);
  void load_input(ReferenceNet& net, std::span<const double> x, double t, int interval);
  void pull_back(std::span<const double> lambda, SumCotangents sums, double* gradient,
                 double* context_gradient, std::span<double> out);
  void pull_back_net(std::optional<ReferenceNet>& net, std::span<const double> cotangent,
                     double* gradient, double* context_gradient, std::span<double> out);

  const ModelShape& shape_;
  DiffusionEntries entries_;
  std::optional<ReferenceNet> drift_, diffusion_, control_;
  const double* parameters_ = nullptr;
  const double* context_ = nullptr;
  std::uint64_t seed_ = 0, path_ = 0;

  // The step at hand.
  StepSize<double> size_{};
  int interval_ = 0;
  std::vector<double> b_, sigma_, u_, z_, w_;
  std::vector<double> b_cotangent_, sigma_cotangent_, u_cotangent_, fixed_, moved_;
};

}  // namespace ito
