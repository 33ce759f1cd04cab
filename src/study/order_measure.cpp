#include "study/order_measure.hpp"

#include <cmath>
#include <memory>

#include <fmt/format.h>
#include <ito/ito.hpp>

namespace ito::lab::study {
namespace {

constexpr std::size_t sample_blocks = 32;

using Sums = std::vector<std::vector<std::vector<double>>>;  ///< [block][ℓ][component]

/// Grids of coarsest · 2^ℓ steps, ℓ < levels, and the paths of one of the blocks.
struct Grids {
  int coarsest;
  std::size_t levels;
  std::uint64_t paths;
};

/// One problem under one solver.
class Pair {
 public:
  Pair(const OrderProblem& problem, Solver solver, const Grids& grids, const Settings& settings)
      : problem_(problem), grids_(grids), seed_(settings.seed) {
    const Execution execution = settings.host();
    Model model = problem.model;
    model.solver = solver;
    for (std::size_t l = 0; l < grids.levels; ++l) {
      model.grid = uniform_grid(1.0, grids.coarsest << l);
      plans_.push_back(std::make_unique<Plan>(model, execution));
    }
    if (!problem.exact_end) return;
    Model brownian;
    brownian.state = plans_.front()->model().noise;
    brownian.grid = uniform_grid(1.0, grids.coarsest);
    brownian_ = std::make_unique<Plan>(brownian, execution);
  }

  void run(Sense sense, MeasuredOrder& measured) {
    Sums errors, extrapolated;
    std::vector<double> half_squares;
    for (std::size_t b = 0; b < sample_blocks; ++b) {
      if (b % together() == 0) simulate(b);
      block_ = b % together();
      if (sense == Sense::strong) {
        errors.push_back(squared_distances());
        continue;
      }
      errors.push_back(moment_differences());
      if (brownian_) extrapolated.push_back(extrapolation(errors.back()));
      // What differences beyond the finest grid add, were they to fall by the declared order.
      half_squares.push_back(
          (half_square(moments(ends(plans_.size() - 1))) -
           half_square(errors.back().back()) / (std::exp2(measured.declared) - 1)) /
          static_cast<double>(grids_.paths));
    }
    const auto paths = static_cast<double>(grids_.paths);
    const double first = 1.0 / grids_.coarsest;
    measured.convergence = converge(errors, paths, first, sense == Sense::strong);
    if (!extrapolated.empty()) {
      measured.extrapolated = converge(extrapolated, paths, first, false);
    } else if (sense == Sense::weak && problem_.half_square) {
      const Spread limit = spread(half_squares);
      measured.limit = limit.mean - *problem_.half_square;
      measured.limit_error = limit.error;
      measured.has_limit = true;
    }
  }

 private:
  /// Blocks in one call: few paths a call leave threads idle.
  std::size_t together() const {
    std::size_t count = 1;
    while (count < sample_blocks && count * grids_.paths < 16384) count *= 2;
    return count;
  }

  void simulate(std::size_t first_block) {
    ends_.clear();
    Request request{.paths = together() * grids_.paths,
                    .seed = seed_,
                    .first_path = first_block * grids_.paths};
    for (std::size_t l = 0; l < plans_.size(); ++l) {
      request.refinement = static_cast<int>(l);
      const Paths paths = plans_[l]->simulate(problem_.parameters, request);
      if (paths.non_finite() > 0)
        throw Error("paths", fmt::format("{} not finite", paths.non_finite()), "finite ones");
      ends_.emplace_back(paths.states().begin(), paths.states().end());
    }
    if (!brownian_) return;
    request.refinement = 0;
    const Paths paths = brownian_->simulate({}, request);
    const std::span<const float> w = paths.states();
    const std::size_t m = w.size() / request.paths;
    exact_.clear();
    for (std::size_t i = 0; i < w.size(); i += m) {
      const std::vector<double> end = problem_.exact_end(w.subspan(i, m));
      exact_.insert(exact_.end(), end.begin(), end.end());
    }
  }

  /// The current block's part of all blocks' [paths, d].
  std::span<const double> of_block(const std::vector<double>& all) const {
    const std::size_t size = all.size() / together();
    return std::span(all).subspan(block_ * size, size);
  }
  std::span<const double> ends(std::size_t l) const { return of_block(ends_[l]); }
  /// What level ℓ is compared with: the exact path, or that of half the step.
  std::span<const double> better(std::size_t l) const {
    return of_block(brownian_ ? exact_ : ends_[l + 1]);
  }
  std::size_t compared() const { return brownian_ ? ends_.size() : ends_.size() - 1; }

  std::vector<std::vector<double>> squared_distances() const {
    std::vector<std::vector<double>> sums(compared(), {0.0});
    for (std::size_t l = 0; l < sums.size(); ++l)
      for (std::size_t i = 0; i < ends(l).size(); ++i)
        sums[l][0] += std::pow(ends(l)[i] - better(l)[i], 2);
    return sums;
  }

  /// Sums over paths of x_i, then of x_i x_j for i ≤ j.
  std::vector<double> moments(std::span<const double> states) const {
    const std::size_t d = states.size() / grids_.paths;
    std::vector<double> sums(d + d * (d + 1) / 2);
    for (std::size_t p = 0; p < states.size(); p += d) {
      std::size_t at = d;
      for (std::size_t i = 0; i < d; ++i) {
        sums[i] += states[p + i];
        for (std::size_t j = i; j < d; ++j) sums[at++] += states[p + i] * states[p + j];
      }
    }
    return sums;
  }
  /// ½|x|² from moments of one or two coordinates: x², or x_1², x_1 x_2, x_2².
  static double half_square(const std::vector<double>& moments) {
    return moments.size() == 2 ? 0.5 * moments[1] : 0.5 * (moments[2] + moments[4]);
  }
  std::vector<std::vector<double>> moment_differences() const {
    std::vector<std::vector<double>> sums;
    for (std::size_t l = 0; l < compared(); ++l)
      sums.push_back(combined(moments(ends(l)), 1, moments(better(l)), -1));
    return sums;
  }
  static std::vector<std::vector<double>> extrapolation(
      const std::vector<std::vector<double>>& errors) {
    std::vector<std::vector<double>> sums;
    for (std::size_t l = 0; l + 1 < errors.size(); ++l)
      sums.push_back(combined(errors[l + 1], 2, errors[l], -1));
    return sums;
  }
  static std::vector<double> combined(std::vector<double> a, double of_a,
                                      const std::vector<double>& b, double of_b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = of_a * a[i] + of_b * b[i];
    return a;
  }

  const OrderProblem& problem_;
  Grids grids_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::unique_ptr<Plan> brownian_;
  std::vector<std::vector<double>> ends_;  ///< [levels], [paths of the blocks together, d]
  std::vector<double> exact_;              ///< likewise
  std::size_t block_ = 0;                  ///< of those, the current one
};

/// Fine where paths differ by little; means of weak order 2 drown in noise on fine grids.
Grids grids(Sense sense, double declared, const Settings& settings) {
  const bool whole = settings.whole();
  if (sense == Sense::strong)
    return {.coarsest = 4, .levels = whole ? 8u : 6u, .paths = settings.scaled(512, 64)};
  if (declared < 2)
    return {.coarsest = 2, .levels = whole ? 6u : 5u, .paths = settings.scaled(24576, 512)};
  return {.coarsest = 1, .levels = 5, .paths = settings.scaled(65536, 2048)};
}

}  // namespace

std::vector<MeasuredOrder> measure_orders(Sense sense, const std::vector<OrderProblem>& problems,
                                          const Settings& settings) {
  std::vector<MeasuredOrder> all;
  for (std::size_t p = 0; p < problems.size(); ++p) {
    for (std::size_t s = 0; s < solvers().size(); ++s) {
      const SolverProperties& solver = solvers()[s];
      if (!solver.takes(problems[p].noise)) continue;
      const double declared = sense == Sense::strong ? solver.strong_order(problems[p].noise)
                                                     : solver.weak_order(problems[p].noise);
      if (declared > 0) all.push_back({.solver = s, .problem = p, .declared = declared});
    }
  }
  double done = 0;
  for (MeasuredOrder& measured : all) {
    const SolverProperties& solver = solvers()[measured.solver];
    const OrderProblem& problem = problems[measured.problem];
    Pair(problem, solver.solver, grids(sense, measured.declared, settings), settings)
        .run(sense, measured);
    done += 1 / static_cast<double>(all.size());
    settings.progress(
        fmt::format("{}, {} noise, {}", solver.name, name(problem.noise), problem.name), done);
  }
  return all;
}

}  // namespace ito::lab::study
