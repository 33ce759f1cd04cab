#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/device.hpp>
#include <ito/log_density.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>
#include <ito/weights.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// One layer of a deep latent Gaussian model.
struct GaussianLayer {
  double step = 1.0;  ///< h > 0
  /// Parameters of b, weights and biases in the order of the net; empty: b = 0.
  std::vector<float> map{};
  std::vector<double> noise{};  ///< σ [d, m], row-major
};

/// A deep latent Gaussian model (Rezende, Mohamed & Wierstra 2014; Tzen & Raginsky 2019, eq. 1):
///   X_0 = initial,   X_i = X_{i−1} + h_i b_i(X_{i−1}) + √h_i σ_i Z_i,   Z_i ~ N(0, I_m), i = 1…k.
/// Layers differ in weights and noise. With h_i the steps of a time grid and b_i, σ_i those of an
/// SDE at its times it is the SDE's Euler–Maruyama chain; the SDE is its limit as k grows.
struct DeepLatentGaussian {
  int state = 1;                        ///< d
  int noise = 1;                        ///< m
  std::vector<double> initial{};        ///< [d]; empty: the origin
  Mlp map{.time = false};               ///< the shape all b_i share, R^d → R^d; takes no time
  std::vector<GaussianLayer> layers{};  ///< k ≥ 1
};

/// Checks every field. Throws ito::Error with the field, its value and what is accepted.
DeepLatentGaussian validated(DeepLatentGaussian model);

/// A mean-field posterior of the noise: Z_i ~ N(μ_i, C_i), independent, C_i = L_i L_iᵀ.
struct MeanField {
  std::vector<float> means{};    ///< μ [k, m]
  std::vector<float> factors{};  ///< L [k, m, m], lower triangular with a positive diagonal
};

/// μ = 0, L = I: the prior.
MeanField prior_mean_field(const DeepLatentGaussian& model);

/// KL(posterior ‖ prior) = ½ Σ_i [tr C_i + |μ_i|² − log det C_i − m], in nats (Rezende et al. 2014,
/// equation 10). Throws ito::Error when the sizes differ from the model's.
double divergence(const DeepLatentGaussian& model, const MeanField& posterior);

// --- To and from the diffusion ------------------------------------------------------------------

/// The Euler–Maruyama chain of an SDE without its control, layer by layer: h_i = t_i − t_{i−1},
/// b_i = b(·, t_{i−1}). Throws ito::Error unless X_0 is a point or learned and σ is identity or
/// constant.
DeepLatentGaussian deep_latent_gaussian(const Model& model, std::span<const float> parameters);

/// The mean-field posterior of a constant or open-loop control: μ_i = √h_i u(t_{i−1}, c), C_i = I.
/// `context` [I, C] is one row of context where the control takes one. Throws ito::Error for
/// controls that depend on the state.
MeanField mean_field(const Model& model, std::span<const float> parameters,
                     std::span<const float> context = {});

/// An SDE and its parameters.
struct NeuralSde {
  Model model;
  Parameters parameters;
};

/// The SDE whose Euler–Maruyama chain on the times 0, h_1, h_1 + h_2, … the model is: b(x, t) is
/// the layers' map with biases of the first layer linear in t. Throws ito::Error where the layers
/// are not one such map, or have different noise: then there is no diffusion of a net to go to.
NeuralSde diffusion(const DeepLatentGaussian& model);

/// The means alone as an open-loop control of `diffusion(model)`, u(t_{i−1}) = μ_i / √h_i: each
/// step has a row of context [k, m] of its own and the net hands it on. The covariances have no
/// counterpart, since a change of measure keeps the noise: their part of the bound vanishes with h.
/// Throws ito::Error when the posterior's sizes differ from the model's.
struct StepwiseControl {
  OpenLoopControl control;
  std::vector<float> context;  ///< [k, m]
};
StepwiseControl stepwise_control(const DeepLatentGaussian& model, const MeanField& posterior);
/// Sets that net's parameters in those of a model: `control.0.weight` the identity, the bias zero.
/// Throws ito::Error where the model has no such tensors.
void set_stepwise_control(Parameters& parameters);

// --- Running it ---------------------------------------------------------------------------------

/// The same two calls as a Plan's: paths of the posterior, and the gradient of any loss of them by
/// its cotangents. Noise is the contract's: with C = I and μ = √h u the paths are the SDE's. Runs
/// on the CPU, nets on the reference where that is asked for.
class DeepLatentGaussianPlan {
 public:
  /// Throws ito::Error on a model that `validated` refuses, and when asked for a CUDA device.
  explicit DeepLatentGaussianPlan(const DeepLatentGaussian& model, Execution execution = {});
  ~DeepLatentGaussianPlan();
  DeepLatentGaussianPlan(DeepLatentGaussianPlan&&) noexcept;
  DeepLatentGaussianPlan& operator=(DeepLatentGaussianPlan&&) noexcept;

  const DeepLatentGaussian& model() const;

  struct Paths {
    std::vector<float> states;      ///< X_k [N, d]
    std::vector<double> log_ratio;  ///< [N]: log of posterior over prior density of Z; mean: the KL
  };
  /// X and Z of all layers stay in the plan for `adjoint`.
  Paths simulate(const MeanField& posterior, std::uint64_t paths, std::uint64_t seed);

  struct Gradient {
    std::vector<float> means;    ///< [k, m]
    std::vector<float> factors;  ///< [k, m, m], lower triangular
    std::vector<float> maps;     ///< [k, parameters of b]; empty when b = 0
  };
  /// Of a loss with derivatives `cotangents` [N, d] by the X_k of the last `simulate`, Z = μ + L ε
  /// being differentiated with ε fixed. The KL's own gradient is `divergence_gradient`.
  Gradient adjoint(const MeanField& posterior, std::span<const float> cotangents);

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

/// Adds the derivatives of `divergence` by means and factors to a gradient.
void add_divergence_gradient(const MeanField& posterior,
                             DeepLatentGaussianPlan::Gradient& gradient);

struct MeanFieldOptions {
  std::size_t iterations = 500;
  std::uint64_t paths = 256;    ///< per iteration
  double learning_rate = 0.05;  ///< Adam, along a cosine to 1 % of it
  double averaging = 0.98;  ///< of the posterior's parameters, as FitOptions::averaging; 0: none
  bool covariances = true;  ///< false: C = I stays, the control of a diffusion
  std::uint64_t seed = 1;
  Execution execution{};  ///< as a DeepLatentGaussianPlan's
};

/// The posterior that minimises the free energy KL − E[log p(y|X_k)] of one observation, given as
/// `log_likelihood(x)` = log p(y|x) with its derivative, starting from the prior. Throws ito::Error
/// on a bad model or options, when asked for a CUDA device, and where a gradient is not finite.
MeanField fit_mean_field(const DeepLatentGaussian& model, const MeanFieldOptions& options,
                         const LogDensity& log_likelihood);

/// What N paths of a posterior say about one observation.
struct MeanFieldEstimate {
  double free_energy = 0;  ///< mean of log posterior/prior − log p(y|X_k), ≥ −log p(y), nats
  double free_energy_error = 0;  ///< its standard error
  WeightSummary weights;         ///< log p(y), its standard error, ESS, tail shape
};
/// Throws ito::Error when a log-likelihood is NaN or +∞, and when asked for a CUDA device.
MeanFieldEstimate evaluate_mean_field(const DeepLatentGaussian& model, const MeanField& posterior,
                                      const LogDensity& log_likelihood, std::uint64_t paths,
                                      std::uint64_t seed, Execution execution = {});

}  // namespace ito
#pragma GCC visibility pop
