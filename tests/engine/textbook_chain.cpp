#include "engine/textbook_chain.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include <ito/noise.hpp>

namespace ito::test {
namespace {

double activate(Activation f, double z) {
  switch (f) {
    case Activation::identity:
      return z;
    case Activation::relu:
      return z > 0 ? z : 0;
    case Activation::tanh:
      return std::tanh(z);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-z));
    case Activation::softplus:
      return std::log(1 + std::exp(z));
    case Activation::silu:
      return z / (1 + std::exp(-z));
    case Activation::lipswish:
      return 0.909 * z / (1 + std::exp(-z));
    case Activation::gelu:
      return z * 0.5 * std::erfc(-z / std::numbers::sqrt2);
    case Activation::exp:
      return std::exp(z);
    case Activation::elu:
      return z > 0 ? z : std::expm1(z);
    default:
      throw std::logic_error("an activation without a formula");
  }
}

struct NetControl {
  const Mlp* net = nullptr;
  int context = 0;
  const std::vector<int>* context_steps = nullptr;
};

NetControl net_control(const Control& control) {
  NetControl out;
  const auto take = [&](const auto& c) { out = {&c.net, c.context, &c.context_steps}; };
  if (const auto* open_loop = std::get_if<OpenLoopControl>(&control)) take(*open_loop);
  if (const auto* feedback = std::get_if<FeedbackControl>(&control)) take(*feedback);
  if (const auto* drift = std::get_if<DriftControl>(&control)) take(*drift);
  return out;
}

std::vector<double> joined(std::span<const double> x, bool time, double t,
                           std::span<const double> context) {
  std::vector<double> out(x.begin(), x.end());
  if (time) out.push_back(t);
  out.insert(out.end(), context.begin(), context.end());
  return out;
}

std::span<const double> view(std::span<const double> parameters, const Tensor& tensor) {
  return parameters.subspan(tensor.offset, tensor.size);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TextbookChain::TextbookChain(const Model& model) : model_(validated(model)) {
  const Parameters layout = zero_parameters(model_);
  for (const Tensor& tensor : layout.tensors()) {
    if (tensor.name.starts_with("initial.")) initial_.push_back(tensor);
    if (tensor.name.starts_with("drift.")) drift_.push_back(tensor);
    if (tensor.name.starts_with("diffusion.")) diffusion_.push_back(tensor);
    if (tensor.name.starts_with("control.")) control_.push_back(tensor);
  }
  const NetControl given = net_control(model_.control);
  row_ = static_cast<std::size_t>(model_.inputs + given.context);
  if (given.context > 0) row_steps_ = *given.context_steps;
  if (model_.inputs > 0) row_steps_ = model_.input_steps;
  context_row_ = row_ * row_steps_.size();
}

std::span<const double> TextbookChain::row_at(std::span<const double> context, int k) const {
  if (row_ == 0) return {};
  std::size_t interval = 0;
  while (interval + 1 < row_steps_.size() && row_steps_[interval + 1] <= k) ++interval;
  return context.subspan(interval * row_, row_);
}

std::vector<double> textbook_net(std::span<const double> parameters,
                                 const std::vector<Tensor>& layers, const Mlp& mlp,
                                 std::vector<double> input) {
  for (std::size_t l = 0; l <= mlp.hidden.size(); ++l) {
    const auto weight = view(parameters, layers.at(2 * l));
    const auto bias = view(parameters, layers.at(2 * l + 1));
    std::vector<double> output(bias.begin(), bias.end());
    for (std::size_t i = 0; i < output.size(); ++i) {
      for (std::size_t j = 0; j < input.size(); ++j) {
        output[i] += weight[i * input.size() + j] * input[j];
      }
      output[i] = activate(l < mlp.hidden.size() ? mlp.activation : mlp.output, output[i]);
    }
    input = std::move(output);
  }
  return input;
}

std::vector<double> TextbookChain::diffusion(const ChainInputs& inputs, std::span<const double> x,
                                             double t) const {
  const auto d = static_cast<std::size_t>(model_.state), m = static_cast<std::size_t>(model_.noise);
  std::vector<double> entries;  // [d] on the diagonal, or [d, m]
  if (const auto* identity = std::get_if<IdentityDiffusion>(&model_.diffusion)) {
    entries.assign(d, identity->scale);
  }
  if (const auto* constant = std::get_if<ConstantDiffusion>(&model_.diffusion)) {
    for (const double raw : view(inputs.parameters, diffusion_.at(0))) {
      entries.push_back(constant->floor + constant->scale * activate(constant->output, raw));
    }
  }
  const auto from_net = [&](const auto& kind) {
    entries =
        textbook_net(inputs.parameters, diffusion_, kind.net, joined(x, kind.net.time, t, {}));
    for (double& v : entries) v = kind.floor + kind.scale * v;
  };
  if (const auto* diagonal = std::get_if<DiagonalDiffusion>(&model_.diffusion)) from_net(*diagonal);
  if (const auto* general = std::get_if<GeneralDiffusion>(&model_.diffusion)) {
    from_net(*general);
    return entries;
  }
  if (d != m) return entries;
  std::vector<double> sigma(d * m, 0.0);
  for (std::size_t i = 0; i < d; ++i) sigma[i * m + i] = entries[i];
  return sigma;
}

std::vector<double> TextbookChain::control(const ChainInputs& inputs,
                                           std::span<const double> context,
                                           std::span<const double> x, int k,
                                           const Coefficients& at) const {
  const auto m = static_cast<std::size_t>(model_.noise);
  if (std::holds_alternative<NoControl>(model_.control)) return std::vector<double>(m, 0.0);
  if (std::holds_alternative<ConstantControl>(model_.control)) {
    const auto value = view(inputs.parameters, control_.at(0));
    return {value.begin(), value.end()};
  }
  const NetControl given = net_control(model_.control);
  const bool open_loop = std::holds_alternative<OpenLoopControl>(model_.control);
  const double t = model_.grid[static_cast<std::size_t>(k)];
  std::vector<double> u =
      textbook_net(inputs.parameters, control_, *given.net,
                   joined(open_loop ? x.first(0) : x, given.net->time, t, row_at(context, k)));
  if (std::holds_alternative<DriftControl>(model_.control)) {
    for (std::size_t j = 0; j < m; ++j) u[j] = (u[j] - at.drift[j]) / at.diffusion[j * m + j];
  }
  return u;
}

Coefficients TextbookChain::coefficients(const ChainInputs& inputs, std::span<const double> context,
                                         std::span<const double> x, int k) const {
  const double t = model_.grid[static_cast<std::size_t>(k)];
  Coefficients at;
  at.drift.assign(x.size(), 0.0);
  if (const auto* mlp = std::get_if<Mlp>(&model_.drift)) {
    const auto v = row_at(context, k).first(static_cast<std::size_t>(model_.inputs));
    at.drift = textbook_net(inputs.parameters, drift_, *mlp, joined(x, mlp->time, t, v));
  }
  at.diffusion = diffusion(inputs, x, t);
  at.control = control(inputs, context, x, k, at);
  return at;
}

std::vector<double> TextbookChain::normals(std::uint64_t seed, std::uint64_t path, int k) const {
  std::vector<double> z(static_cast<std::size_t>(model_.noise));
  for (std::size_t j = 0; j < z.size(); ++j) {
    z[j] = standard_normal(seed, path, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(j),
                           NoiseStream::path);
  }
  return z;
}

std::vector<double> TextbookChain::initial(const Call& call, const ChainInputs& inputs,
                                           std::uint64_t i) const {
  const auto d = static_cast<std::size_t>(model_.state);
  if (!call.x0.empty()) {
    const std::size_t at = call.x0.size() == d ? 0 : i * d;
    const auto x = std::span(call.x0).subspan(at, d);
    return {x.begin(), x.end()};
  }
  if (const auto* point = std::get_if<PointInitial>(&model_.initial)) {
    return point->value.empty() ? std::vector<double>(d, 0.0) : point->value;
  }
  const bool learned = std::holds_alternative<LearnedInitial>(model_.initial);
  const auto mean = view(inputs.parameters, initial_.at(0));
  std::vector<double> x(mean.begin(), mean.end());
  if (learned) return x;
  const auto log_std = view(inputs.parameters, initial_.at(1));
  for (std::size_t j = 0; j < d; ++j) {
    x[j] +=
        std::exp(log_std[j]) * standard_normal(call.seed, call.first_path + i, 0,
                                               static_cast<std::uint32_t>(j), NoiseStream::initial);
  }
  return x;
}

std::span<const double> TextbookChain::context_of(const Call& call, const ChainInputs& inputs,
                                                  std::uint64_t i) const {
  const std::uint64_t row = call.paths_per_observation == 0 ? 0 : i / call.paths_per_observation;
  return std::span(inputs.context).subspan(row * context_row_, context_row_);
}

PathValues TextbookChain::simulate(const Call& call, const SplitChainInputs& inputs) const {
  PathValues out;
  const auto m = static_cast<std::size_t>(model_.noise);
  for (std::uint64_t i = 0; i < call.paths; ++i) {
    std::vector<double> x = initial(call, inputs.path, i);
    double energy = 0, martingale = 0, energy_before = 0, martingale_before = 0;
    for (int k = 0; k <= steps(); ++k) {
      if (std::ranges::binary_search(model_.save, k)) {
        out.states.insert(out.states.end(), x.begin(), x.end());
        out.interval_energy.push_back(energy - energy_before);
        out.interval_martingale.push_back(martingale - martingale_before);
        energy_before = energy;
        martingale_before = martingale;
      }
      if (k == steps()) break;
      const Coefficients at = coefficients(inputs.path, context_of(call, inputs.path, i), x, k);
      const auto control_of = [&](const ChainInputs& some) {
        if (&some == &inputs.path) return at.control;
        return coefficients(some, context_of(call, some, i), x, k).control;
      };
      const std::vector<double> z = normals(call.seed, call.first_path + i, k);
      const double h = step_size(k);
      const std::vector<double> u_energy = control_of(inputs.energy);
      energy += 0.5 * h * dot(u_energy, u_energy);
      martingale += std::sqrt(h) * dot(control_of(inputs.martingale), z);
      for (std::size_t r = 0; r < x.size(); ++r) {
        double noise = 0, shift = 0;
        for (std::size_t j = 0; j < m; ++j) {
          noise += at.diffusion[r * m + j] * z[j];
          shift += at.diffusion[r * m + j] * at.control[j];
        }
        x[r] += (at.drift[r] + shift) * h + std::sqrt(h) * noise;
      }
    }
    out.energy.push_back(energy);
    out.martingale.push_back(martingale);
    out.status.push_back(0);
  }
  return out;
}

double loss(const PathValues& outputs, const PathValues& cotangents) {
  double sum = 0;
  for (const auto part : {&PathValues::states, &PathValues::energy, &PathValues::martingale,
                          &PathValues::interval_energy, &PathValues::interval_martingale}) {
    const auto& weights = cotangents.*part;  // empty: zero
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * (outputs.*part)[i];
  }
  return sum;
}

}  // namespace ito::test
