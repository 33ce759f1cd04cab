#include "reference/path.hpp"

#include <algorithm>
#include <cmath>

#include <ito/noise.hpp>

#include "engine/call.hpp"
#include "model/step_noise.hpp"

namespace ito::reference {
namespace {

std::optional<ReferenceNet> make(const std::optional<NetShape>& shape) {
  return shape ? std::optional<ReferenceNet>(*shape) : std::nullopt;
}

/// Hands out places in a scratch vector.
auto reserver(std::size_t& reserved) {
  return [&reserved](int rows) {
    const std::size_t begin = reserved;
    reserved += static_cast<std::size_t>(rows);
    return begin;
  };
}

}  // namespace

ReferencePath::ReferencePath(const ModelShape& shape, GradientMethod method, int directions)
    : shape_(shape),
      entries_(shape),
      scheme_(make_scheme(shape)),
      places_(scheme_, entries_, true, reserver(reserved_)),
      drift_(make(shape.drift)),
      diffusion_(make(shape.diffusion_net)),
      control_(make(shape.control_net)) {
  auto rows = reserver(reserved_);
  for (int q = 0; q < directions; ++q) {
    along_.push_back({{}, rows(scheme_.carried(shape.state))});
    for (const Stage& stage : scheme_.stages) {
      along_.back().stages.push_back(SchemePlaces::reserve(stage, entries_, rows));
    }
  }
  if (method == GradientMethod::stochastic_adjoint) {
    field_ = make_field(shape);
    field_places_.emplace(field_, entries_, true, rows);
    kept_ = rows(2 * shape.state);
    kept_cotangent_ = rows(2 * shape.state);
  }
  scratch_.resize(reserved_);
  for (const auto* net : {&drift_, &diffusion_, &control_}) {
    if (!*net) continue;
    const auto inputs = static_cast<std::size_t>((*net)->shape().inputs());
    input_tangent_.resize(std::max(input_tangent_.size(), inputs));
  }
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

void ReferencePath::start_chain(std::span<double> chain) const {
  const auto state = static_cast<std::size_t>(shape_.state);
  std::ranges::fill(chain.subspan(state, state), 0.0);
  if (chain.size() > 2 * state) {
    std::ranges::copy(chain.first(2 * state), chain.subspan(2 * state).begin());
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

void ReferencePath::load_noise(const Scheme& scheme, const SchemePlaces& places, int k) {
  for (int c = 0; c < shape_.noise; ++c) {
    const auto step = static_cast<std::uint32_t>(k), channel = static_cast<std::uint32_t>(c);
    const StepNoise<double> noise = step_noise(seed_, path_, step, channel, refinement_);
    put(places.z, c, 0, noise.z);
    if (scheme.needs_area) put(places.area, c, 0, noise.area);
  }
}

void ReferencePath::run_net(std::optional<ReferenceNet>& net, std::span<const double> x, double t,
                            int k) {
  const NetShape& shape = net->shape();
  auto in = net->input().begin();
  if (shape.state_inputs > 0) in = std::copy(x.begin(), x.end(), in);
  if (shape.time_inputs > 0) *in++ = t;
  if (shape.context_inputs > 0) {
    const auto columns = static_cast<std::size_t>(shape.context_inputs);
    std::copy_n(context_ + row_at(k), columns, in);
  }
  net->forward(parameters_);
}

void ReferencePath::evaluate(const Stage& stage, const SchemePlaces::Values& values, int k,
                             double t, bool) {
  const std::span<const double> x = at(values.point, shape_.state);
  if (stage.needs_drift) {
    const std::span<double> b = at(values.b, shape_.state);
    if (drift_) {
      run_net(drift_, x, t, k);
      std::copy_n(drift_->output().begin(), b.size(), b.begin());
    } else {
      std::fill(b.begin(), b.end(), 0.0);
    }
  }
  if (stage.needs_diffusion) {
    if (diffusion_) run_net(diffusion_, x, t, k);
    for (int e = 0; e < entries_.count(); ++e) {
      put(values.sigma, e, 0,
          diffusion_
              ? shape_.diffusion_floor +
                    shape_.diffusion_scale * diffusion_->output()[static_cast<std::size_t>(e)]
              : constant_entry(shape_, std::span(parameters_, shape_.parameters), e).value);
    }
  }
  if (!stage.needs_control) return;
  if (control_) run_net(control_, x, t, k);
  for (int j = 0; j < shape_.noise; ++j) {
    const auto c = static_cast<std::size_t>(j);
    double u = 0;
    if (shape_.control == ControlKind::constant) {
      u = parameters_[shape_.control_value + c];
    } else if (shape_.control == ControlKind::drift) {
      u = (control_->output()[c] - get(values.b, j, 0)) / get(values.sigma, j, 0);
    } else if (control_) {
      u = control_->output()[c];
    }
    put(values.u, j, 0, u);
  }
}

void ReferencePath::pull_back_net(std::optional<ReferenceNet>& net,
                                  std::span<const double> cotangent, int k, std::span<double> out,
                                  bool parameters) {
  if (!net) return;
  const NetShape& shape = net->shape();
  const auto input = net->backward(parameters_, cotangent, parameters ? gradient_ : nullptr);
  const auto states = static_cast<std::size_t>(shape.state_inputs);
  for (std::size_t i = 0; i < states && !out.empty(); ++i) out[i] += input[i];
  if (!parameters) return;
  const auto contexts = static_cast<std::size_t>(shape.context_inputs);
  const std::size_t first = states + static_cast<std::size_t>(shape.time_inputs);
  for (std::size_t c = 0; c < contexts; ++c) {
    context_gradient_[row_at(k) + c] += input[first + c];
  }
}

void ReferencePath::pull_back(const Stage& stage, const SchemePlaces::Values& values,
                              const SchemePlaces::Values& cotangents, int k, double, bool to_point,
                              bool parameters) {
  const std::span<double> out = to_point ? at(cotangents.point, shape_.state) : std::span<double>{};
  if (stage.needs_control) {
    const std::span<double> u = at(cotangents.u, shape_.noise);
    for (int j = 0; j < shape_.noise; ++j) {
      double& cotangent = u[static_cast<std::size_t>(j)];
      if (shape_.control == ControlKind::drift) {  // u = (v − b)/σ
        cotangent /= get(values.sigma, j, 0);
        at(cotangents.b, shape_.state)[static_cast<std::size_t>(j)] -= cotangent;
        at(cotangents.sigma, entries_.count())[static_cast<std::size_t>(j)] -=
            cotangent * get(values.u, j, 0);
      }
      if (shape_.control == ControlKind::constant && parameters) {
        gradient_[shape_.control_value + static_cast<std::size_t>(j)] += cotangent;
      }
    }
    pull_back_net(control_, u, k, out, parameters);
  }
  if (stage.needs_drift) {
    pull_back_net(drift_, at(cotangents.b, shape_.state), k, out, parameters);
  }
  if (!stage.needs_diffusion) return;
  const std::span<double> sigma = at(cotangents.sigma, entries_.count());
  for (std::size_t e = 0; e < sigma.size(); ++e) {
    if (diffusion_) {
      sigma[e] *= shape_.diffusion_scale;
    } else if (parameters && shape_.diffusion != DiffusionKind::identity) {
      gradient_[shape_.diffusion_value + e] +=
          sigma[e] *
          constant_entry(shape_, std::span(parameters_, shape_.parameters), static_cast<int>(e))
              .slope;
    }
  }
  pull_back_net(diffusion_, sigma, k, out, parameters);
}

PathSums ReferencePath::step(int k, std::span<double> chain) {
  std::copy(chain.begin(), chain.end(), at(places_.chain, scheme_.carried(shape_.state)).begin());
  load_noise(scheme_, places_, k);
  sums_ = {};
  SchemeStep(*this, scheme_, places_, entries_).forward(time_of(k));
  std::copy_n(at(places_.chain, scheme_.carried(shape_.state)).begin(), chain.size(),
              chain.begin());
  return sums_;
}

void ReferencePath::reverse(int k, std::span<const double> chain, std::span<double> lambda,
                            PathSums sums, AdjointOptions options, double* gradient,
                            double* context_gradient) {
  std::copy(chain.begin(), chain.end(), at(places_.chain, scheme_.carried(shape_.state)).begin());
  std::copy(lambda.begin(), lambda.end(),
            at(places_.cotangent, scheme_.carried(shape_.state)).begin());
  load_noise(scheme_, places_, k);
  sum_cotangents_ = sums;
  gradient_ = gradient;
  context_gradient_ = context_gradient;
  SchemeStep(*this, scheme_, places_, entries_).reverse(time_of(k), detached(options));
  std::copy_n(at(places_.cotangent, scheme_.carried(shape_.state)).begin(), lambda.size(),
              lambda.begin());
}

void ReferencePath::undo(int k, std::span<double> chain) {
  const std::span<double> at_chain = at(places_.chain, scheme_.carried(shape_.state));
  std::copy(chain.begin(), chain.end(), at_chain.begin());
  load_noise(scheme_, places_, k);
  SchemeStep step(*this, scheme_, places_, entries_);
  step.leave_sums();
  step.forward(time_of(k, -1));
  std::copy(at_chain.begin(), at_chain.end(), chain.begin());
}

void ReferencePath::reverse_stochastic(int k, std::span<double> x, std::span<double> lambda,
                                       PathSums sums, AdjointOptions options, double* gradient,
                                       double* context_gradient) {
  const std::span<double> at_x = at(field_places_->chain, field_.carried(shape_.state));
  const std::span<double> at_lambda = at(field_places_->cotangent, field_.carried(shape_.state));
  std::copy(x.begin(), x.end(), at_x.begin());
  std::copy(lambda.begin(), lambda.end(), at_lambda.begin());
  load_noise(field_, *field_places_, k);
  sum_cotangents_ = sums;
  gradient_ = gradient;
  context_gradient_ = context_gradient;
  StochasticAdjoint(*this, field_, *field_places_, entries_, kept_, kept_cotangent_)
      .back(time_of(k), detached(options));
  std::copy(at_x.begin(), at_x.end(), x.begin());
  std::copy(at_lambda.begin(), at_lambda.end(), lambda.begin());
}

std::span<const double> ReferencePath::push_net(std::optional<ReferenceNet>& net, std::size_t point,
                                                int k, const PathDirection& direction) {
  const NetShape& shape = net->shape();
  auto in = input_tangent_.begin();
  if (shape.state_inputs > 0) {
    const std::span<const double> x = at(point, shape_.state);
    in = std::copy(x.begin(), x.end(), in);
  }
  if (shape.time_inputs > 0) *in++ = 0;
  for (int c = 0; c < shape.context_inputs; ++c) {
    *in++ = direction.context ? direction.context[row_at(k) + static_cast<std::size_t>(c)] : 0.0;
  }
  return net->tangent(parameters_, direction.parameters,
                      std::span(input_tangent_).first(static_cast<std::size_t>(shape.inputs())));
}

void ReferencePath::push_forward(const Stage& stage, const SchemePlaces::Values& values,
                                 const SchemePlaces::Values& tangents, int k, double,
                                 int direction) {
  const PathDirection& along = directions_[static_cast<std::size_t>(direction)];
  if (stage.needs_drift) {
    const std::span<double> b = at(tangents.b, shape_.state);
    std::fill(b.begin(), b.end(), 0.0);
    if (drift_) {
      const auto tangent = push_net(drift_, tangents.point, k, along);
      std::copy(tangent.begin(), tangent.end(), b.begin());
    }
  }
  if (stage.needs_diffusion) {
    const std::span<double> sigma = at(tangents.sigma, entries_.count());
    std::fill(sigma.begin(), sigma.end(), 0.0);
    if (diffusion_) {
      const auto tangent = push_net(diffusion_, tangents.point, k, along);
      for (std::size_t e = 0; e < sigma.size(); ++e) sigma[e] = shape_.diffusion_scale * tangent[e];
    } else if (along.parameters && shape_.diffusion != DiffusionKind::identity) {
      for (std::size_t e = 0; e < sigma.size(); ++e) {
        sigma[e] =
            along.parameters[shape_.diffusion_value + e] *
            constant_entry(shape_, std::span(parameters_, shape_.parameters), static_cast<int>(e))
                .slope;
      }
    }
  }
  if (!stage.needs_control) return;
  const std::span<double> u = at(tangents.u, shape_.noise);
  std::fill(u.begin(), u.end(), 0.0);
  if (control_) {
    const auto tangent = push_net(control_, tangents.point, k, along);
    std::copy(tangent.begin(), tangent.end(), u.begin());
  } else if (along.parameters && shape_.control == ControlKind::constant) {
    std::copy_n(along.parameters + shape_.control_value, u.size(), u.begin());
  }
  if (shape_.control != ControlKind::drift) return;
  for (int j = 0; j < shape_.noise; ++j) {  // u = (v − b)/σ
    double& dot = u[static_cast<std::size_t>(j)];
    dot = (dot - get(tangents.b, j, 0) - get(tangents.sigma, j, 0) * get(values.u, j, 0)) /
          get(values.sigma, j, 0);
  }
}

void ReferencePath::draw_initial_tangent(std::size_t direction) {
  const double* along = directions_[direction].parameters;
  const std::span<double> x =
      chain_tangent(direction).first(static_cast<std::size_t>(shape_.state));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = 0;
    if (!along || shape_.initial == InitialKind::point) continue;
    x[i] = along[shape_.initial_value + i];
    if (shape_.initial == InitialKind::gaussian) {
      x[i] += along[shape_.initial_log_std + i] *
              std::exp(parameters_[shape_.initial_log_std + i]) *
              standard_normal(seed_, path_, 0, static_cast<std::uint32_t>(i), NoiseStream::initial);
    }
  }
}

PathSums ReferencePath::step_along(int k, std::span<double> chain, std::span<PathSums> tangents) {
  const std::span<double> at_chain = at(places_.chain, scheme_.carried(shape_.state));
  std::copy(chain.begin(), chain.end(), at_chain.begin());
  load_noise(scheme_, places_, k);
  sums_ = {};
  std::fill(tangents.begin(), tangents.end(), PathSums{});
  SchemeStep(*this, scheme_, places_, entries_)
      .forward_with_tangents(time_of(k), static_cast<int>(tangents.size()), along_,
                             [&](int q, int, double energy, double martingale) {
                               tangents[static_cast<std::size_t>(q)] = {energy, martingale};
                             });
  std::copy(at_chain.begin(), at_chain.end(), chain.begin());
  return sums_;
}

}  // namespace ito::reference
