#include "study/order_measure.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ito/parameters.hpp>

namespace ito::lab::study {
namespace {

using Tensors = std::vector<std::pair<std::string, std::vector<float>>>;

/// The random parameters of seed `seed`, but for those given.
std::vector<float> with(const Model& model, std::uint64_t seed, const Tensors& given) {
  Model on_grid = model;
  on_grid.grid = uniform_grid(1.0, 1);
  Parameters parameters = initialize(on_grid, seed);
  for (const auto& [name, values] : given) {
    std::ranges::copy(values, parameters[name].begin());
  }
  const std::span<const float> all = parameters.values();
  return {all.begin(), all.end()};
}

/// Beneš' equation dX = tanh(X) dt + dW: X_1 ~ Σ_± p_± N(x ± 1, 1) with p_± ∝ e^{±x}.
OrderProblem benes() {
  constexpr double x = 0.5;
  OrderProblem problem{.name = "dX = tanh X dt + dW", .noise = NoiseKind::additive};
  problem.model.initial = PointInitial{{x}};
  problem.model.drift = Mlp{.output = Activation::tanh, .time = false};
  problem.parameters = with(problem.model, 0, {{"drift.0.weight", {1.0F}}});
  problem.half_square = 0.5 * (x * x + 2 + 2 * x * std::tanh(x));
  return problem;
}

/// dX = μX dt + X Σ_j σ_j dW_j in each coordinate: X_1 = X_0 exp(μ − ½|σ|² + Σ_j σ_j W_j).
struct Geometric {
  double start, drift;
  std::vector<double> sigma;

  double end(std::span<const float> w) const {
    double exponent = drift;
    for (std::size_t j = 0; j < sigma.size(); ++j)
      exponent += sigma[j] * static_cast<double>(w[j]) - 0.5 * sigma[j] * sigma[j];
    return start * std::exp(exponent);
  }
  double mean_half_square() const {
    double exponent = 2 * drift;
    for (const double s : sigma) exponent += s * s;
    return 0.5 * start * start * std::exp(exponent);
  }
};

OrderProblem one_geometric(std::string name, NoiseKind noise, const Geometric& law) {
  OrderProblem problem{.name = std::move(name), .noise = noise};
  problem.model.noise = static_cast<int>(law.sigma.size());
  problem.model.initial = PointInitial{{law.start}};
  problem.model.drift = Mlp{.time = false};
  problem.model.diffusion = GeneralDiffusion{{.time = false}};
  problem.parameters =
      with(problem.model, 0,
           {{"drift.0.weight", {static_cast<float>(law.drift)}},
            {"diffusion.0.weight", std::vector<float>(law.sigma.begin(), law.sigma.end())}});
  problem.exact_end = [law](std::span<const float> w) { return std::vector{law.end(w)}; };
  problem.half_square = law.mean_half_square();
  return problem;
}

OrderProblem geometric_pair() {
  const Geometric first{1.0, 0.5, {0.5}}, second{-0.75, 0.25, {0.75}};
  OrderProblem problem{.name = "two geometric Brownian motions", .noise = NoiseKind::diagonal};
  problem.model.state = 2;
  problem.model.initial = PointInitial{{first.start, second.start}};
  problem.model.drift = Mlp{.time = false};
  problem.model.diffusion = DiagonalDiffusion{{.output = Activation::identity, .time = false}};
  problem.parameters =
      with(problem.model, 0,
           {{"drift.0.weight", {0.5F, 0, 0, 0.25F}}, {"diffusion.0.weight", {0.5F, 0, 0, 0.75F}}});
  problem.exact_end = [first, second](std::span<const float> w) {
    return std::vector{first.end(w.first(1)), second.end(w.subspan(1))};
  };
  problem.half_square = first.mean_half_square() + second.mean_half_square();
  return problem;
}

/// dX = ¾RX dW_1 + ¼QX dW_2 with R = (1 0; 0 −1), Q = (0 1; 1 0), which do not commute:
/// d E|X|² = (9/16 + 1/16) E|X|² dt.
OrderProblem reflections() {
  OrderProblem problem{.name = "dX = ¾RX dW₁ + ¼QX dW₂", .noise = NoiseKind::general};
  problem.model.state = 2;
  problem.model.initial = PointInitial{{1.0, 0.5}};
  problem.model.diffusion = GeneralDiffusion{{.time = false}};
  // σ_{ij} is output 2i + j of the net: σ = (¾x_1 ¼x_2; −¾x_2 ¼x_1).
  problem.parameters =
      with(problem.model, 0, {{"diffusion.0.weight", {0.75F, 0, 0, 0.25F, 0, -0.75F, 0.25F, 0}}});
  problem.half_square = 0.5 * 1.25 * std::exp(0.625);
  return problem;
}

OrderProblem random_nets(NoiseKind noise) {
  OrderProblem problem{.name = "random nets", .noise = noise};
  Model& model = problem.model;
  model.state = 2;
  model.initial = PointInitial{{0.6, -0.4}};
  model.drift = Mlp{.hidden = {6}, .time = false};
  Tensors given;
  switch (noise) {
    case NoiseKind::additive:
      model.diffusion = ConstantDiffusion{.value = {0.9, 0.6}};
      break;
    case NoiseKind::scalar:
      model.noise = 1;
      model.diffusion = GeneralDiffusion{{.hidden = {6}, .time = false}, 1.0, 0.3};
      break;
    case NoiseKind::diagonal:
      model.diffusion = DiagonalDiffusion{{.output = Activation::sigmoid, .time = false}, 1.5, 0.1};
      given.push_back({"diffusion.0.weight", {1.1F, 0, 0, -0.9F}});  // no mixing of coordinates
      break;
    case NoiseKind::general:
      model.diffusion = GeneralDiffusion{{.hidden = {6}, .time = false}, 1.0, 0.1};
      break;
  }
  problem.parameters = with(model, 3, given);
  return problem;
}

}  // namespace

std::vector<OrderProblem> order_problems() {
  std::vector<OrderProblem> all{
      benes(),
      random_nets(NoiseKind::additive),
      one_geometric("geometric Brownian motion", NoiseKind::scalar, {1.0, 0.5, {0.75}}),
      random_nets(NoiseKind::scalar),
      geometric_pair(),
      random_nets(NoiseKind::diagonal),
      one_geometric("dX = ½X dt + X (½dW₁ + ½dW₂)", NoiseKind::diagonal, {1.0, 0.5, {0.5, 0.5}}),
      reflections(),
      random_nets(NoiseKind::general)};
  for (OrderProblem& problem : all) {
    problem.closed_form = problem.exact_end || problem.half_square;
  }
  return all;
}

}  // namespace ito::lab::study
