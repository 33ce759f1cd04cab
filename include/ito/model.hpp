#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <ito/activation.hpp>
#include <ito/solver.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// A multilayer perceptron. `hidden` lists the hidden widths; an empty list is an affine map. With
/// `time` the time t is an input after the state. Input and output sizes follow from its place in
/// the model.
struct Mlp {
  std::vector<int> hidden{};
  Activation activation = Activation::tanh;
  Activation output = Activation::identity;
  bool time = true;
};

// --- Initial state X_0 in R^d -------------------------------------------------------------------

/// X_0 = value, fixed. An empty value is the origin.
struct PointInitial {
  std::vector<double> value{};
};
/// X_0 = parameter `initial.value` [d], which starts at `value` (empty: the origin).
struct LearnedInitial {
  std::vector<double> value{};
};
/// X_0 = mean + exp(log_std) z, z ~ N(0, I), with parameters `initial.mean` [d], which starts at
/// `value` (empty: zeros), and `initial.log_std` [d], which starts at log `std` (empty: std = 1).
struct GaussianInitial {
  std::vector<double> value{};
  std::vector<double> std{};
};
using Initial = std::variant<PointInitial, LearnedInitial, GaussianInitial>;

// --- Drift b(x, t, v) in R^d --------------------------------------------------------------------
// A net takes the model's inputs v (Model::inputs) after the state and the time.

/// b = 0.
struct ZeroDrift {};
using Drift = std::variant<ZeroDrift, Mlp>;

// --- Diffusion σ(x, t) --------------------------------------------------------------------------

/// σ = scale · I (needs noise = state).
struct IdentityDiffusion {
  double scale = 1.0;
};
/// σ does not depend on x or t: floor + scale · output(`diffusion.value`). The parameter is [d],
/// the diagonal, when noise = state, and [d, m] otherwise. It starts at `value` (row-major; empty:
/// ones).
struct ConstantDiffusion {
  std::vector<double> value{};
  Activation output = Activation::identity;
  double scale = 1.0;
  double floor = 0.0;
};
/// σ = diag(floor + scale · net(x, t)), net: R^d → R^d (needs noise = state).
struct DiagonalDiffusion {
  Mlp net{.output = Activation::softplus};
  double scale = 1.0;
  double floor = 0.0;
};
/// σ = floor + scale · net(x, t), net: R^d → R^{d×m}, row-major.
struct GeneralDiffusion {
  Mlp net{};
  double scale = 1.0;
  double floor = 0.0;
};
using Diffusion =
    std::variant<IdentityDiffusion, ConstantDiffusion, DiagonalDiffusion, GeneralDiffusion>;

// --- Control u, the mean shift, in R^m ----------------------------------------------------------
// Nets take the model's inputs v as well, before c. Where it has some, they and c come in one row
// and change at Model::input_steps: a control's own context_steps are then empty, or the same.

/// u = 0: paths of the prior.
struct NoControl {};
/// u = parameter `control.value` [m], which starts at `value` (empty: zeros).
struct ConstantControl {
  std::vector<double> value{};
};
/// u = net(t, c): the mean-field control of Tzen & Raginsky (2019), section 4.
struct OpenLoopControl {
  Mlp net{};
  int context = 0;                   ///< size of c
  std::vector<int> context_steps{};  ///< steps at which a new row of c takes over; empty: {0}
};
/// u = net(x, t, c).
struct FeedbackControl {
  Mlp net{};
  int context = 0;
  std::vector<int> context_steps{};
};
/// The net gives the posterior drift v(x, t, c) in R^d, and u = σ⁻¹(v − b). Needs a diagonal σ that
/// is nowhere zero.
struct DriftControl {
  Mlp net{};
  int context = 0;
  std::vector<int> context_steps{};
};
using Control =
    std::variant<NoControl, ConstantControl, OpenLoopControl, FeedbackControl, DriftControl>;

/// A latent diffusion dX = [b + σu] dt + σ dW on a time grid: u shifts the noise. Plain data.
///
/// Exogenous inputs v(t) are known in advance and constant between steps: covariates, not states.
/// The nets of the drift and of the control take them; a row of a request's context is v, then c.
struct Model {
  int state = 1;                   ///< d, 1 to 1024
  int noise = 0;                   ///< m, 1 to 1024; 0 means noise = state
  std::vector<double> grid{};      ///< t_0 < … < t_K
  std::vector<int> save{};         ///< increasing step indices in [0, K]; empty means {K}
  int inputs = 0;                  ///< U, the size of v: needs a drift or a control that is a net
  std::vector<int> input_steps{};  ///< steps at which a new row of v takes over; empty: {0}
  Initial initial{};
  Drift drift{};
  Diffusion diffusion{};
  Control control{};
  Calculus calculus = Calculus::ito;  ///< of ∫σ dW
  Solver solver = Solver::euler_maruyama;
};

/// t_k = horizon · k / steps, k = 0..steps. Throws unless horizon > 0 and steps ≥ 1.
std::vector<double> uniform_grid(double horizon, int steps);

/// Checks every field and fills those left at defaults that follow from others: `noise`, `save`,
/// and the steps of inputs and contexts. Throws
/// ito::Error with the field, its value and what is accepted.
Model validated(Model model);

/// What the order of a solver depends on. A diagonal σ counts as `diagonal` although a net can mix
/// coordinates: which it does, only its parameters say.
NoiseKind noise_kind(const Model& model);

/// The same model with `control` removed, and with it the inputs where the drift is zero: no other
/// net takes any. Its parameters are a prefix of the model's.
Model prior(Model model);

/// The model description as JSON (the keys `encoder`, `decoder` and `likelihood` are left to
/// `parse_latent_model` and ignored here). Throws ito::Error on malformed text, unknown keys, wrong
/// types and everything `validated` refuses.
Model parse_model(std::string_view json);

/// JSON text that `parse_model` reads back to the same model. Throws ito::Error where `validated`
/// does.
std::string to_json(const Model& model);

}  // namespace ito
#pragma GCC visibility pop
