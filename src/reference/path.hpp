#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ito/plan.hpp>

#include "engine/scheme_step.hpp"
#include "kernels/arithmetic/stochastic_adjoint.cuh"
#include "model/reference_net.hpp"
#include "model/shape.hpp"

namespace ito::reference {

/// E and M of one path over a step, or their cotangents.
struct PathSums {
  double energy = 0, martingale = 0;
};

/// A direction in which a path is differentiated; laid out as what it is a direction of.
struct PathDirection {
  const double* parameters;  ///< [P]
  const double* context;     ///< [I, U + C]
};

/// One path, one step at a time, and its exact reverse and derivatives, in plain doubles: the
/// executable definition of the discrete model and of every solver. Chains, their cotangents and
/// their tangents have Scheme::carried numbers. All buffers are made at construction.
class ReferencePath {
 public:
  /// `directions`: how many `step_along` can take at once.
  ReferencePath(const ModelShape& shape, GradientMethod method, int directions);

  /// What stays the same along a path. `context` is [I, C], `grid` [K].
  void bind(const double* parameters, const double* context, const DoubleGridStep* grid,
            std::uint64_t seed, std::uint64_t path, int refinement) {
    parameters_ = parameters;
    context_ = context;
    grid_ = grid;
    seed_ = seed;
    path_ = path;
    refinement_ = refinement;
  }

  std::size_t carried() const { return static_cast<std::size_t>(scheme_.carried(shape_.state)); }
  std::size_t stored() const { return static_cast<std::size_t>(scheme_.stored(shape_.state)); }
  /// Completes a chain that holds x_0, or its tangent: nothing has been rounded yet, and x̂_0 is
  /// x_0.
  void start_chain(std::span<double> chain) const;

  /// X_0 from the model's own initial distribution.
  void draw_initial(std::span<double> x) const;
  /// Adds the gradient of the initial distribution's parameters, given the cotangent of X_0.
  void reverse_initial(std::span<const double> lambda, double* gradient) const;

  /// The chain's next; the step's parts of E and M.
  PathSums step(int k, std::span<double> chain);

  /// λ = cotangent of the next chain on entry, of `chain`, its stored part, on return. Adds to
  /// `gradient` and `context_gradient` [I, C].
  void reverse(int k, std::span<const double> chain, std::span<double> lambda, PathSums sums,
               AdjointOptions options, double* gradient, double* context_gradient);

  /// `chain` becomes the one before: of a reversible solver.
  void undo(int k, std::span<double> chain);
  /// x and λ of step k + 1 on entry, of step k on return, by the stochastic adjoint.
  void reverse_stochastic(int k, std::span<double> x, std::span<double> lambda, PathSums sums,
                          AdjointOptions options, double* gradient, double* context_gradient);

  /// `step` with the derivatives of its results along directions; those of the chain are kept in
  /// `chain_tangent`, those of the sums come back.
  void take_directions(std::span<const PathDirection> directions) { directions_ = directions; }
  std::span<double> chain_tangent(std::size_t direction) {
    return at(along_[direction].chain, scheme_.carried(shape_.state));
  }
  /// That of X_0, from the model's own initial distribution.
  void draw_initial_tangent(std::size_t direction);
  PathSums step_along(int k, std::span<double> chain, std::span<PathSums> tangents);

  // As a machine of SchemeStep: one path, one number at a time.
  using Number = double;
  using Scalar = double;
  static constexpr int lanes = 1, lane_step = 1;
  double get(std::size_t place, int row, int) const {
    return scratch_[place + static_cast<std::size_t>(row)];
  }
  void put(std::size_t place, int row, int, double value) {
    scratch_[place + static_cast<std::size_t>(row)] = value;
  }
  void evaluate(const Stage& stage, const SchemePlaces::Values& values, int k, double t, bool);
  void pull_back(const Stage& stage, const SchemePlaces::Values& values,
                 const SchemePlaces::Values& cotangents, int k, double t, bool to_point,
                 bool parameters);
  void push_forward(const Stage& stage, const SchemePlaces::Values& values,
                    const SchemePlaces::Values& tangents, int k, double t, int direction);
  void add_sums(int, double energy, double martingale) {
    sums_.energy += energy;
    sums_.martingale += martingale;
  }
  double energy_cotangent(int) const { return sum_cotangents_.energy; }
  double martingale_cotangent(int) const { return sum_cotangents_.martingale; }

 private:
  std::span<double> at(std::size_t place, int rows) {
    return std::span(scratch_).subspan(place, static_cast<std::size_t>(rows));
  }
  void load_noise(const Scheme& scheme, const SchemePlaces& places, int k);
  void run_net(std::optional<ReferenceNet>& net, std::span<const double> x, double t, int k);
  void pull_back_net(std::optional<ReferenceNet>& net, std::span<const double> cotangent, int k,
                     std::span<double> out, bool parameters);
  std::span<const double> push_net(std::optional<ReferenceNet>& net, std::size_t point, int k,
                                   const PathDirection& direction);
  StepTime time_of(int k, double sign = 1) const {
    return {k, grid_[k].time, grid_[k].step, grid_[k].root_step, sign};
  }
  /// Where the row of context in force at step k begins, of which a net takes the first numbers.
  std::size_t row_at(int k) const {
    return static_cast<std::size_t>(grid_[k].interval) * static_cast<std::size_t>(shape_.context());
  }

  const ModelShape& shape_;
  DiffusionEntries entries_;
  Scheme scheme_;
  std::size_t reserved_ = 0;
  SchemePlaces places_;
  struct Along {
    std::vector<SchemePlaces::Values> stages;
    std::size_t chain;
  };
  std::vector<Along> along_;
  std::span<const PathDirection> directions_;
  Scheme field_;  ///< of the stochastic adjoint, with what it keeps
  std::optional<SchemePlaces> field_places_;
  std::size_t kept_ = 0, kept_cotangent_ = 0;
  std::vector<double> scratch_;
  std::optional<ReferenceNet> drift_, diffusion_, control_;
  std::vector<double> input_tangent_;
  const double* parameters_ = nullptr;
  const double* context_ = nullptr;
  const DoubleGridStep* grid_ = nullptr;
  std::uint64_t seed_ = 0, path_ = 0;
  int refinement_ = 0;

  PathSums sums_, sum_cotangents_;
  double* gradient_ = nullptr;
  double* context_gradient_ = nullptr;
};

}  // namespace ito::reference
