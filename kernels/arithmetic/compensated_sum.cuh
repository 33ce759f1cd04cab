#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito {

/// One step of a compensated sum (Kahan 1965) by an increment smaller than the sum. `excess` is
/// what rounding has added to `value` so far; `corrected` is the increment less the excess. So
/// increments below half an ulp of the value are not lost: a plain float32 state of 5000 does not
/// move by steps of 1e-4.
template <class T>
ITO_INLINE void add_corrected(T& value, T& excess, T corrected) {
  const T after = value + corrected;
  excess = (after - value) - corrected;
  value = after;
}

/// The same by an increment of any size, from which an excess cannot be taken without a loss: what
/// the sum loses is found by Knuth's two-sum.
template <class T>
ITO_INLINE void add_of_any_size(T& value, T& excess, T increment) {
  const T sum = value + increment, part = sum - value;
  excess = excess - ((value - (sum - part)) + (increment - part));
  value = sum;
  add_corrected(value, excess, T(0) - excess);
}

/// The same for a row of a machine's memory (see scheme_step.cuh), its excess in another row.
template <class Machine, class Place>
ITO_INLINE void add_corrected(Machine& machine, Place place, int row, int excess, int lane,
                              typename Machine::Number corrected) {
  typename Machine::Number value = machine.get(place, row, lane), rounded(0);
  add_corrected(value, rounded, corrected);
  machine.put(place, row, lane, value);
  machine.put(place, excess, lane, rounded);
}
template <class Machine, class Place>
ITO_INLINE void add_compensated(Machine& machine, Place place, int row, int excess, int lane,
                                typename Machine::Number increment) {
  add_corrected(machine, place, row, excess, lane, increment - machine.get(place, excess, lane));
}

template <class Machine, class Place>
ITO_INLINE void add_of_any_size(Machine& machine, Place place, int row, int excess, int lane,
                                typename Machine::Number increment) {
  typename Machine::Number value = machine.get(place, row, lane),
                           rounded = machine.get(place, excess, lane);
  add_of_any_size(value, rounded, increment);
  machine.put(place, row, lane, value);
  machine.put(place, excess, lane, rounded);
}

/// A compensated sum.
template <class Number>
struct CompensatedSum {
  Number value, excess;

  ITO_DEVICE void add(Number increment) { add_corrected(value, excess, increment - excess); }
};

}  // namespace ito
