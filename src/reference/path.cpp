#include "reference/path.hpp"

#include <algorithm>
#include <cmath>

#include <ito/noise.hpp>

#include "engine/call.hpp"

namespace ito {
namespace {

std::optional<ReferenceNet> make(const std::optional<NetShape>& shape) {
  return shape ? std::optional<ReferenceNet>(*shape) : std::nullopt;
}

}  // namespace

ReferencePath::ReferencePath(const ModelShape& shape)
    : shape_(shape),
      entries_(shape),
      drift_(make(shape.drift)),
      diffusion_(make(shape.diffusion_net)),
      control_(make(shape.control_net)) {
  const auto d = static_cast<std::size_t>(shape.state), m = static_cast<std::size_t>(shape.noise);
  const auto entries = static_cast<std::size_t>(entries_.count());
  for (auto* v : {&b_, &b_cotangent_, &fixed_, &moved_}) v->resize(d);
  for (auto* v : {&sigma_, &sigma_cotangent_}) v->resize(entries);
  for (auto* v : {&u_, &z_, &w_, &u_cotangent_}) v->resize(m);
}

void ReferencePath::draw_initial(std::span<double> x) const {
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (shape_.initial == InitialKind::point) {
      x[i] = shape_.initial_point[i];
      continue;
    }
    x[i] = parameters_[shape_.initial_value + i];
    if (shape_.initial == InitialKind::gaussian) {
      x[i] += std::exp(parameters_[shape_.initial_log_std + i]) *
              standard_normal(seed_, path_, 0, static_cast<std::uint32_t>(i), NoiseStream::initial);
    }
  }
}

void ReferencePath::reverse_initial(std::span<const double> lambda, double* gradient) const {
  if (shape_.initial == InitialKind::point) return;
  for (std::size_t i = 0; i < lambda.size(); ++i) {
    gradient[shape_.initial_value + i] += lambda[i];
    if (shape_.initial == InitialKind::gaussian) {
      gradient[shape_.initial_log_std + i] +=
          lambda[i] * std::exp(parameters_[shape_.initial_log_std + i]) *
          standard_normal(seed_, path_, 0, static_cast<std::uint32_t>(i), NoiseStream::initial);
    }
  }
}

void ReferencePath::load_input(ReferenceNet& net, std::span<const double> x, double t,
                               int interval) {
  const NetShape& shape = net.shape();
  auto in = net.input().begin();
  if (shape.state_inputs > 0) in = std::copy(x.begin(), x.end(), in);
  if (shape.time_inputs > 0) *in++ = t;
  std::copy_n(context_ + interval * shape.context_inputs, shape.context_inputs, in);
}

/// b, σ, u, z and w = u h + √h z at (t_k, x).
void ReferencePath::evaluate(int k, std::span<const double> x) {
  const double t = shape_.grid[static_cast<std::size_t>(k)];
  size_ = {shape_.step_size(k), std::sqrt(shape_.step_size(k))};
  interval_ = shape_.context_steps.empty() ? 0 : interval_of(shape_, k);
  for (auto* net : {&drift_, &diffusion_, &control_}) {
    if (!*net) continue;
    load_input(**net, x, t, interval_);
    (*net)->forward(parameters_);
  }
  if (drift_) std::copy_n(drift_->output().begin(), b_.size(), b_.begin());
  for (std::size_t e = 0; e < sigma_.size(); ++e) {
    sigma_[e] =
        diffusion_
            ? shape_.diffusion_floor + shape_.diffusion_scale * diffusion_->output()[e]
            : constant_entry(shape_, std::span(parameters_, shape_.parameters), static_cast<int>(e))
                  .value;
  }
  for (std::size_t j = 0; j < u_.size(); ++j) {
    switch (shape_.control) {
      case ControlKind::none:
        u_[j] = 0;
        break;
      case ControlKind::constant:
        u_[j] = parameters_[shape_.control_value + j];
        break;
      case ControlKind::open_loop:
      case ControlKind::feedback:
        u_[j] = control_->output()[j];
        break;
      case ControlKind::drift:
        u_[j] = (control_->output()[j] - b_[j]) / sigma_[j];
        break;
    }
    z_[j] =
        standard_normal(seed_, path_, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(j));
    w_[j] = shifted_increment(size_, u_[j], z_[j]);
  }
}

SumCotangents ReferencePath::step(int k, std::span<double> x) {
  evaluate(k, x);
  SumCotangents parts;
  for (std::size_t j = 0; j < u_.size(); ++j) {
    parts.energy += energy_increment(size_, u_[j]);
    parts.martingale += martingale_increment(size_, u_[j], z_[j]);
  }
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += size_.h * b_[i];
  for (int e = 0; e < entries_.count(); ++e) {
    x[static_cast<std::size_t>(entries_.row(e))] +=
        sigma_[static_cast<std::size_t>(e)] * w_[static_cast<std::size_t>(entries_.column(e))];
  }
  return parts;
}

void ReferencePath::pull_back_net(std::optional<ReferenceNet>& net,
                                  std::span<const double> cotangent, double* gradient,
                                  double* context_gradient, std::span<double> out) {
  if (!net) return;
  const NetShape& shape = net->shape();
  const auto input = net->backward(parameters_, cotangent, gradient);
  const auto states = static_cast<std::size_t>(shape.state_inputs);
  for (std::size_t i = 0; i < states; ++i) out[i] += input[i];
  if (!gradient || !context_gradient) return;
  const auto contexts = static_cast<std::size_t>(shape.context_inputs);
  const std::size_t first = states + static_cast<std::size_t>(shape.time_inputs);
  for (std::size_t c = 0; c < contexts; ++c) {
    context_gradient[static_cast<std::size_t>(interval_) * contexts + c] += input[first + c];
  }
}

/// The transpose of one step's derivative, at the point of the last `evaluate`: adds to `out` what
/// x_k receives through b, σ and u (not through x_{k+1} = x_k + …). With a null `gradient` the
/// parameters and the context receive nothing.
void ReferencePath::pull_back(std::span<const double> lambda, SumCotangents sums, double* gradient,
                              double* context_gradient, std::span<double> out) {
  for (std::size_t i = 0; i < lambda.size(); ++i) b_cotangent_[i] = size_.h * lambda[i];
  std::fill(u_cotangent_.begin(), u_cotangent_.end(), 0.0);  // ω = σᵀλ first
  for (int e = 0; e < entries_.count(); ++e) {
    const auto s = static_cast<std::size_t>(e), i = static_cast<std::size_t>(entries_.row(e)),
               j = static_cast<std::size_t>(entries_.column(e));
    u_cotangent_[j] += sigma_[s] * lambda[i];
    sigma_cotangent_[s] = lambda[i] * w_[j];
  }
  for (std::size_t j = 0; j < u_.size(); ++j) {
    u_cotangent_[j] =
        control_cotangent(size_, u_cotangent_[j], u_[j], z_[j], sums.energy, sums.martingale);
    if (shape_.control == ControlKind::drift) {  // u = (v − b)/σ
      u_cotangent_[j] /= sigma_[j];
      b_cotangent_[j] -= u_cotangent_[j];
      sigma_cotangent_[j] -= u_cotangent_[j] * u_[j];
    }
    if (shape_.control == ControlKind::constant && gradient) {
      gradient[shape_.control_value + j] += u_cotangent_[j];
    }
  }
  for (std::size_t e = 0; e < sigma_.size(); ++e) {
    if (diffusion_) {
      sigma_cotangent_[e] *= shape_.diffusion_scale;
    } else if (gradient && shape_.diffusion != DiffusionKind::identity) {
      gradient[shape_.diffusion_value + e] +=
          sigma_cotangent_[e] *
          constant_entry(shape_, std::span(parameters_, shape_.parameters), static_cast<int>(e))
              .slope;
    }
  }
  pull_back_net(control_, u_cotangent_, gradient, context_gradient, out);
  pull_back_net(drift_, b_cotangent_, gradient, nullptr, out);
  pull_back_net(diffusion_, sigma_cotangent_, gradient, nullptr, out);
}

void ReferencePath::reverse(int k, std::span<const double> x, std::span<double> lambda,
                            SumCotangents sums, AdjointOptions options, double* gradient,
                            double* context_gradient) {
  evaluate(k, x);
  std::fill(moved_.begin(), moved_.end(), 0.0);
  std::fill(fixed_.begin(), fixed_.end(), 0.0);
  const SumCotangents martingale_only{0.0, sums.martingale};
  if (options.detach_martingale_parameters) {
    // Its parameters see no martingale; the path does, through the state inputs alone.
    pull_back(fixed_, martingale_only, nullptr, nullptr, moved_);
    sums.martingale = 0;
  }
  if (options.detach_state) {
    pull_back(fixed_, sums, gradient, context_gradient, moved_);
    std::fill(lambda.begin(), lambda.end(), 0.0);
    return;
  }
  pull_back(lambda, sums, gradient, context_gradient, moved_);
  for (std::size_t i = 0; i < lambda.size(); ++i) lambda[i] += moved_[i];
}

}  // namespace ito
