#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include <ito/device.hpp>
#include <ito/lab/target.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>
#include <ito/weights.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

/// X_0 = start (empty: the origin), dX = σ(t) dW with σ falling geometrically,
///   σ(t) = scale · cooling^(1/2 − t/T):
/// cooling is σ(0)/σ(T), and 1 makes it a Brownian motion. Where a target's detail is much finer
/// than the target is wide, cooling lets equal steps resolve both, with a control of one size
/// throughout.
struct BrownianReference {
  std::vector<double> start{};
  double scale = 1.0;
  double cooling = 1.0;

  /// Of that cooling, on [0, horizon], ending with standard deviation `std` in continuous time.
  static BrownianReference ending(double std, double cooling = 1.0, double horizon = 1.0);
};
/// Stationary: X_0 ~ N(0, std² I), dX = −rate X dt + std √(2 rate) dW.
struct OrnsteinUhlenbeckReference {
  double rate = 1.0;
  double std = 1.0;
};
/// Any SDE of one's own, its control left out. The law of its end is not known, so `log_density` is
/// taken relative to it: the sampler goes to exp(log_density(x)) · law(dx), with log w =
/// log_density(X_T) − M − E. With log_density(x) = log p(y|x) this is the posterior given y, and Z
/// = p(y).
struct PriorReference {
  Model model{};
  Parameters parameters{};  ///< the model's own first
};
/// The process that a sampler steers towards its target. The law of its end is known in closed form
/// but for the last kind.
using Reference = std::variant<BrownianReference, OrnsteinUhlenbeckReference, PriorReference>;

/// What training minimises, with the weight of a path
///   log w = log target(X_T) − log reference marginal(X_T) − M − E.
/// Each is a choice of cotangents for the same paths.
enum class SamplerLoss {
  kl,                    ///< mean of E + terminal cost, differentiated along the path
  sticking_the_landing,  ///< mean of −log w, the martingale's parameters detached
  log_variance,          ///< variance of log w over fixed paths (Richter & Berner 2024)
  trajectory_balance,  ///< mean of (log w − log Z)² over fixed paths, log Z learned (Malkin et al.
                       ///< 2022)
};

/// Counts are up to 2^31 − 1.
struct SamplerOptions {
  Reference reference{};
  // The time grid; that of a PriorReference is its model's, whatever these say.
  double horizon = 1.0;  ///< T
  int steps = 64;        ///< K
  /// t_k = T(1 − (1 − k/K)^grading): above 1 steps get shorter towards the end, where the last
  /// step's noise blurs the samples.
  double grading = 1.5;
  /// The state is this many equal parts, and the same control, a function of one part, steers each:
  /// what to choose when the target is known to be made of like parts. Reference and control are of
  /// one part's size, d/parts.
  int parts = 1;
  /// Starts as u = 0 (a DriftControl as v = 0 where its net cannot be the reference's drift); takes
  /// no context.
  Control control = FeedbackControl{.net = {.hidden = {64, 64}, .activation = Activation::silu}};
  SamplerLoss loss = SamplerLoss::log_variance;
  std::size_t iterations = 1000;
  std::size_t paths = 512;      ///< per iteration
  double learning_rate = 5e-3;  ///< Adam, along a cosine to 1 % of it
  double clip_norm = 1.0;       ///< gradient norms above are scaled down to it; 0: never
  /// β rises from 0 to 1 over this fraction of the iterations, whose target is
  /// exp(β log_density) · law^(1 − β), law being that of the reference's end: modes grow out of it
  /// together, where losses that see only where paths go would settle on the first they find.
  double annealing = 0.0;
  double averaging = 0.98;        ///< of the parameters, as FitOptions::averaging; 0: none
  double non_finite_limit = 0.1;  ///< largest accepted fraction of paths without a finite weight
  std::uint64_t seed = 1;
  Execution execution{};
};

/// A controlled diffusion whose end X_T has, once trained, the target's law.
struct Sampler {
  Model model{};            ///< the reference as the prior, and the control; of one part
  int parts = 1;            ///< paths of the model that make one of the target's dimension
  Parameters parameters{};  ///< those of the reference fixed, those of the control learned
  Reference reference{};
  double log_normalizer = 0;  ///< learned by trajectory balance; NaN with other losses
};

struct SamplerProgress {
  std::size_t iteration = 0;  ///< from 1
  std::size_t iterations = 0;
  double loss = 0;
  double elbo = 0;     ///< mean of log w over this iteration's paths: at most log Z on average
  double ess = 0;      ///< effective sample size of this iteration's paths over their number
                       ///< (both of the annealed target where there is one)
  double seconds = 0;  ///< since training began
};
using SamplerCallback = std::function<void(const SamplerProgress&)>;

/// The untrained sampler: u = 0. Throws ito::Error on options that make no sense.
Sampler make_sampler(const Target& target, const SamplerOptions& options = {});

/// Trains from `make_sampler`. The same seed gives the same bits for any number of threads. Throws
/// ito::Error on bad options, on a loss that needs the gradient of a target without one, and when
/// too many weights are not finite.
Sampler train_sampler(const Target& target, const SamplerOptions& options = {},
                      const SamplerCallback& progress = {});

/// What N paths say about log Z = log ∫ exp(log_density). Non-finite paths count as weight 0 in
/// `weights`, which keeps exp(log_mean) unbiased, and are left out of `elbo`.
struct SamplerEstimate {
  WeightSummary weights;            ///< log Z, its standard error, ESS of `paths`, tail shape
  std::size_t paths = 0;            ///< N
  double elbo = 0, elbo_error = 0;  ///< mean of log w, a lower bound on log Z, and its error
  std::size_t non_finite = 0;
};

struct SampleSet {
  SamplerEstimate estimate;
  std::vector<float> states;        ///< [N, d]: X_T
  std::vector<double> log_weights;  ///< [N]; −∞ for a non-finite path
};

/// Runs `paths` paths (noise: `seed`) and weighs them: samples X_T of the target once the sampler
/// is trained, and with the weights unbiased estimates under the target whether or not it is.
/// Throws ito::Error on no paths, and on a target without a log-density or of another dimension.
SampleSet run_sampler(const Target& target, const Sampler& sampler, std::size_t paths,
                      std::uint64_t seed, Execution execution = {});

/// log density of the reference chain's X_T (its Euler chain, exactly) at `x` [d]; writes its
/// derivative into `gradient` [d] unless empty. Throws ito::Error for a PriorReference.
double reference_log_density(const Sampler& sampler, std::span<const double> x,
                             std::span<double> gradient = {});

}  // namespace ito::lab
#pragma GCC visibility pop
