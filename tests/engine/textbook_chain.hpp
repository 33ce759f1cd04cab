#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ito/model.hpp>
#include <ito/parameters.hpp>

#include "engine/any_plan.hpp"

namespace ito::test {

/// What a chain's functions read: all parameters, and the context [R, I, C], the model's inputs
/// first in a row.
struct ChainInputs {
  std::vector<double> parameters;
  std::vector<double> context;
};

/// Which inputs rule which part, so that a detached part is a frozen one.
struct SplitChainInputs {
  const ChainInputs& path;        ///< x_k
  const ChainInputs& energy;      ///< the u of E
  const ChainInputs& martingale;  ///< the u of M
};

/// Functions of a model at one point.
struct Coefficients {
  std::vector<double> drift;      ///< b [d]
  std::vector<double> diffusion;  ///< σ [d, m]
  std::vector<double> control;    ///< u [m]
};

/// The tests' own multilayer perceptron. `layers`: its tensors, weight, bias, weight, bias, …
std::vector<double> textbook_net(std::span<const double> parameters,
                                 const std::vector<Tensor>& layers, const Mlp& mlp,
                                 std::vector<double> input);

/// The tests' own Euler–Maruyama chain, written from its definition and the public headers
/// alone: nothing but the normals is shared with the library.
class TextbookChain {
 public:
  explicit TextbookChain(const Model& model);

  /// b, σ and u at (x, t_k). `context` is the [I, C] of the path's observation.
  Coefficients coefficients(const ChainInputs& inputs, std::span<const double> context,
                            std::span<const double> x, int k) const;
  /// The normals z_k of a path, [m].
  std::vector<double> normals(std::uint64_t seed, std::uint64_t path, int k) const;

  PathValues simulate(const Call& call, const SplitChainInputs& inputs) const;
  PathValues simulate(const Call& call, const ChainInputs& inputs) const {
    return simulate(call, {inputs, inputs, inputs});
  }

  const Model& model() const { return model_; }
  std::size_t context_size() const { return context_row_; }  ///< I · C
  int steps() const { return static_cast<int>(model_.grid.size()) - 1; }
  double step_size(int k) const {
    return model_.grid[static_cast<std::size_t>(k) + 1] - model_.grid[static_cast<std::size_t>(k)];
  }
  /// The [I, C] of path i of a call.
  std::span<const double> context_of(const Call& call, const ChainInputs& inputs,
                                     std::uint64_t i) const;

 private:
  /// Of [I, C], the numbers that rule at step k.
  std::span<const double> row_at(std::span<const double> context, int k) const;
  std::vector<double> diffusion(const ChainInputs& inputs, std::span<const double> x,
                                double t) const;
  std::vector<double> control(const ChainInputs& inputs, std::span<const double> context,
                              std::span<const double> x, int k, const Coefficients& at) const;
  std::vector<double> initial(const Call& call, const ChainInputs& inputs, std::uint64_t i) const;

  Model model_;
  // The tensors of each part, in order: of a net weight, bias, weight, bias, …
  std::vector<Tensor> initial_, drift_, diffusion_, control_;
  std::size_t context_row_ = 0;  ///< I · C
  std::size_t row_ = 0;          ///< C
  std::vector<int> row_steps_;   ///< [I]
};

/// Σ cotangent · output over every output of a call.
double loss(const PathValues& outputs, const PathValues& cotangents);

}  // namespace ito::test
