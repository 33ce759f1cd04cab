#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)
namespace ito {

/// How the integral ∫σ dW of a model, or of a solver's scheme, is meant.
enum class Calculus { ito, stratonovich };

/// What a solver's order depends on: σ independent of the state; one noise channel; a diagonal σ
/// whose entry i depends on x_i alone (or any other σ whose columns commute); any other σ, a
/// diagonal one that mixes coordinates included.
enum class NoiseKind { additive, scalar, diagonal, general };

/// How a step is taken; `solvers()` says what each is good for.
enum class Solver { euler_maruyama, milstein, heun, midpoint, reversible_heun, sra1, ri6 };

/// What is declared of a solver. Orders are by NoiseKind; 0 where the solver does not take it.
struct SolverProperties {
  Solver solver;
  std::string_view name;
  /// Of its scheme; a model in the other calculus is converted, with ½ Σ_j (∂σ_j)σ_j for the drift.
  Calculus calculus;
  std::array<double, 4> strong;
  std::array<double, 4> weak;
  /// Whether exp(−M − E) is exactly the density ratio of the two discrete chains. It is where the
  /// control is held over a step, so that the posterior is the prior driven by u h + √h z. The
  /// other solvers evaluate the control at every stage, and their weights have an error that
  /// vanishes with the step: E is then a component of the scheme, M = Σ √h u(x_k, t_k)·z_k.
  bool exact_weight;
  bool reversible;  ///< a step can be undone algebraically
  int stages;       ///< evaluations of the drift a step
  std::string_view source;

  double strong_order(NoiseKind kind) const { return strong[static_cast<std::size_t>(kind)]; }
  double weak_order(NoiseKind kind) const { return weak[static_cast<std::size_t>(kind)]; }
  bool takes(NoiseKind kind) const { return weak_order(kind) > 0; }
};

/// The table of all solvers, in the order of the enumeration.
std::span<const SolverProperties> solvers();
const SolverProperties& properties(Solver solver);

std::string_view name(Solver solver);
std::string_view name(Calculus calculus);
std::string_view name(NoiseKind kind);

/// From the name. Throw ito::Error with the names there are.
Solver parse_solver(std::string_view text);
Calculus parse_calculus(std::string_view text);

}  // namespace ito
#pragma GCC visibility pop
