// One step back of the stochastic adjoint.
#pragma once

#include "kernels/arithmetic/scheme_step.cuh"

namespace ito {

/// One step back of the stochastic adjoint (Li, Wong, Chen & Duvenaud 2020), for any engine. With F
/// the increment of the Stratonovich equation's vector field over the step, and J its derivative,
///     x̃ = x − F(x, t+h),           x_k = x − ½(F(x, t+h) + F(x̃, t)),
///     λ̃ = λ + J(x, t+h)ᵀλ,         λ_k = λ + ½(J(x, t+h)ᵀλ + J(x̃, t)ᵀλ̃),
/// and likewise the gradient of parameters: Heun's scheme of the joint backward equation. E is a
/// component of F; M, an Itô sum, is differentiated as the sum it is, at x_k.
template <class Machine, class Scheme, class Places, class Entries>
class StochasticAdjoint {
  using T = typename Machine::Number;
  using Scalar = typename Machine::Scalar;
  using StepTime = BasicStepTime<Scalar>;
  using Place = typename Places::Place;

 public:
  /// `field` is make_field's; `kept` and `kept_cotangent` are [2 state] rows of its own.
  StochasticAdjoint(Machine& machine, const Scheme& field, const Places& places,
                    const Entries& entries, Place kept, Place kept_cotangent)
      : m_(machine),
        step_(machine, field, places, entries),
        state_(entries.state),
        x_(places.chain),
        lambda_(places.cotangent),
        kept_(kept),
        kept_cotangent_(kept_cotangent) {
    step_.leave_sums();
  }

  /// The places of x and λ: of the next step on entry, of step k on return.
  void back(const StepTime& step, Detached detached) {
    const Detached state{detached.state};
    const StepTime end{step.k, step.t + step.h, step.h, step.root_h};
    copy(x_, kept_);
    scale(lambda_, Scalar(0.5), kept_cotangent_);

    step_.scale_cotangents(Scalar(0.5), 0);
    copy(kept_cotangent_, lambda_);
    step_.reverse(end, state);                                          // λ̃/2
    step_.forward({step.k, step.t, step.h, step.root_h, -1});           // x̃
    step_.reverse(step, state);                                         // (λ̃ + J(x̃)ᵀλ̃)/2
    add(kept_cotangent_, lambda_);                                      // λ_k
    step_.forward({step.k, step.t - step.h, step.h, step.root_h, -1});  // x̃ − F(x̃, t)
    add(kept_, x_);
    scale(x_, Scalar(0.5), x_);  // x_k

    copy(lambda_, kept_cotangent_);
    scale(lambda_, 0, lambda_);
    step_.scale_cotangents(0, 1);
    step_.reverse(step, detached);
    if (!detached.state) add(kept_cotangent_, lambda_);
  }

 private:
  // Of compensated sums: what is a row of each holds for its excess as well.
  template <class Each>
  void for_rows(int rows, Each each) {
    for (int i = 0; i < rows; ++i) {
      for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) each(i, lane);
    }
  }
  void copy(Place from, Place to) {
    for_rows(2 * state_, [&](int i, int lane) { m_.put(to, i, lane, m_.get(from, i, lane)); });
  }
  void scale(Place from, Scalar factor, Place to) {
    const T number = constant<T>(factor);
    for_rows(2 * state_,
             [&](int i, int lane) { m_.put(to, i, lane, number * m_.get(from, i, lane)); });
  }
  void add(Place from, Place to) {
    for_rows(state_, [&](int i, int lane) {
      add_of_any_size(m_, to, i, state_ + i, lane, m_.get(from, i, lane));
      add_compensated(m_, to, i, state_ + i, lane, T(0) - m_.get(from, state_ + i, lane));
    });
  }

  Machine& m_;
  SchemeStep<Machine, Scheme, Places, Entries> step_;
  int state_;
  Place x_, lambda_, kept_, kept_cotangent_;
};

}  // namespace ito
