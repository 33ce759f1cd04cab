// A gated recurrent unit over series, a slot of all rows at a time: what stands between the
// products of one slot and the next, with the decay of the state over the gap between them. A
// thread takes one unit of a row.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/training/series_arguments.cuh"

#include "kernels/arithmetic/gru.cuh"

namespace ito::cuda {

/// Where a thread's unit stands in the arrays of a step.
struct GruPlace {
  unsigned row;
  unsigned long long unit;                      ///< in [R, H]
  unsigned long long state;                     ///< in [R, S, H]
  unsigned long long reset, update, candidate;  ///< in [R, S, 3H]
  unsigned of_bias;                             ///< in [H]

  template <class Arguments>
  ITO_DEVICE explicit GruPlace(const Arguments& arguments) {
    const unsigned hidden = arguments.hidden;
    unit = global_index();
    row = static_cast<unsigned>(unit / hidden);
    of_bias = static_cast<unsigned>(unit % hidden);
    const unsigned long long entry =
        static_cast<unsigned long long>(row) * arguments.slots + arguments.slot;
    state = entry * hidden + of_bias;
    reset = entry * 3 * hidden + of_bias;
    update = reset + hidden;
    candidate = update + hidden;
  }
  ITO_DEVICE GruGates<float> load(const float* gates) const {
    return {gates[reset], gates[update], gates[candidate]};
  }
  ITO_DEVICE void store(const GruGates<float>& gates, float* to) const {
    to[reset] = gates.reset;
    to[update] = gates.update;
    to[candidate] = gates.candidate;
  }
};

ITO_DEVICE GruGates<float> biased(GruGates<float> sums, const float* bias, unsigned hidden,
                                  unsigned unit) {
  return {sums.reset + bias[unit], sums.update + bias[hidden + unit],
          sums.candidate + bias[2 * hidden + unit]};
}

/// The last slot has no state after it, and no products with it: h is 0.
ITO_DEVICE void gru_step(const GruStepArguments& arguments) {
  const GruPlace place(arguments);
  if (place.row >= arguments.rows) return;
  const bool last = arguments.slot + 1 == arguments.slots;
  if (last) arguments.previous[place.state] = 0;
  float state = 0;
  if (arguments.slot < arguments.lengths[place.row].read) {
    const float previous = arguments.previous[place.state];
    const GruGates<float> sums = last ? GruGates<float>{0, 0, 0} : place.load(arguments.from_state);
    const GruGates<float> from_state =
        biased(sums, arguments.state_bias, arguments.hidden, place.of_bias);
    const GruGates<float> gates =
        gru_gates(biased(place.load(arguments.from_input), arguments.input_bias, arguments.hidden,
                         place.of_bias),
                  from_state);
    place.store(gates, arguments.from_input);
    arguments.from_state[place.candidate] = from_state.candidate;
    state = gru_state(gates, previous);
  }
  arguments.states[place.state] = state;
  if (arguments.slot == 0) return;
  const unsigned long long before = place.state - arguments.hidden;
  arguments.previous[before] =
      arguments.exponents != nullptr ? decayed(state, arguments.exponents[before]) : state;
}

/// What the cell of the slot before hands on to the state of this one.
ITO_DEVICE float carried_on(const GruStepBackArguments& arguments, const GruPlace& place) {
  if (arguments.slot == 0) return 0;
  const float carried = arguments.carried[place.unit];
  if (arguments.exponents == nullptr) return carried;
  const unsigned long long before = place.state - arguments.hidden;
  const DecayCotangents<float> by =
      decay_cotangents(arguments.previous[before], arguments.exponents[before], carried);
  arguments.exponent_cotangents[before] = by.exponent;
  return by.state;
}

/// A product adds to `carried` what comes through W_hh.
ITO_DEVICE void gru_step_back(const GruStepBackArguments& arguments) {
  const GruPlace place(arguments);
  if (place.row >= arguments.rows) return;
  const float cotangent = arguments.cotangents[place.state] + carried_on(arguments, place);
  if (arguments.exponents != nullptr && arguments.slot + 1 == arguments.slots)
    arguments.exponent_cotangents[place.state] = 0;
  GruCotangents<float> by{{0, 0, 0}, 0, 0};
  if (arguments.slot < arguments.lengths[place.row].read) {
    by = gru_cotangents(place.load(arguments.from_input), arguments.from_state[place.candidate],
                        arguments.previous[place.state], cotangent);
  }
  place.store(by.from_input, arguments.from_input);
  place.store({by.from_input.reset, by.from_input.update, by.state_candidate},
              arguments.from_state);
  arguments.carried[place.unit] = by.previous;
}

}  // namespace ito::cuda
