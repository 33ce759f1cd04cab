// The directions that a path is differentiated along: those that a call gives, or unit directions,
// which need no memory and whose products with weights are one number. A thread takes a block of
// up to scheme_directions at once; direction q of the block is `of(q, …)`, which has
//     constant(number, parameter)        the derivative of a packed number, or of its parameter
//     add_layer<Net, layer>(first, z, input)   z += Ẇ a + ḃ for eight outputs of a layer
// and `initial(q, path, i)` is that of component i of a given X_0.
#pragma once

#include "kernels/device/directions.cuh"
#include "kernels/per_path/arguments.cuh"
#include "kernels/per_path/net.cuh"

namespace ito::cuda {

// --- Directions that a call gives

/// One of them.
template <class Number>
struct GivenDirection {
  const Number* numbers;
  const Number* row;  ///< the derivative of the bias row in force

  ITO_DEVICE Number constant(int number, int) const { return numbers[number]; }

  template <class Net, int kLayer, class Input>
  ITO_DEVICE void add_layer(int first, Eight<Number>& z, Input input) const {
    constexpr int kInputs = Net::layer(kLayer).inputs;
    const Number* bias = numbers + Net::layer(kLayer).bias;
    if constexpr (kLayer == 0 && Net::kContext) bias = row + Net::kRowBegin;
    const auto constants = load_eight(bias + first);
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) z.v[e] += constants.v[e];
    z = multiply_eight(numbers + Net::layer(kLayer).forward + first * kInputs, kInputs, z, input);
  }
};

template <class Shape, class Number>
class GivenDirections {
 public:
  ITO_DEVICE explicit GivenDirections(const DirectionArguments<Number>& call) : call_(call) {}

  /// The block that begins with direction `first`.
  ITO_DEVICE void take(int first) { first_ = first; }

  /// `row`: where the bias row in force lies among those of the call.
  ITO_DEVICE GivenDirection<Number> of(int q, long long row, int) const {
    const long long n = first_ + q;
    return {call_.numbers + n * Shape::kNumberCount, call_.rows + n * call_.row_direction + row};
  }
  ITO_DEVICE Number initial(int q, long long path, int i) const {
    if (call_.x0 == nullptr || path < 0) return Number(0);
    return call_.x0[(first_ + q) * call_.x0_direction + path * call_.x0_path + i];
  }

 private:
  const DirectionArguments<Number>& call_;
  int first_ = 0;
};

// --- Unit directions

/// One of them: of a parameter, or of a number of the bias row in force; −1: of neither. Those of
/// an entry of a constant σ are of the entry itself: `reduce_gradient` knows its slope.
template <class Number>
struct UnitDirection {
  int parameter, row;

  ITO_DEVICE Number constant(int, int of) const { return Number(of == parameter ? 1 : 0); }

  template <class Net, int kLayer, class Input>
  ITO_DEVICE void add_layer(int first, Eight<Number>& z, Input input) const {
    constexpr int kOutputs = Net::layer(kLayer).outputs, kColumns = Net::kSpec.columns(kLayer);
    const int of_weight = parameter - Net::kSpec.weight(kLayer);
    const int of_bias = parameter - Net::kSpec.bias(kLayer);
    int output = -1;
    Number value = Number(1);
    if (of_weight >= 0 && of_weight < kOutputs * kColumns) {
      output = of_weight / kColumns;
      if (output >= first && output < first + 8) value = input(of_weight % kColumns);
    } else if (of_bias >= 0 && of_bias < kOutputs) {
      output = of_bias;
    }
    if constexpr (kLayer == 0 && Net::kContext) {
      const int of_row = row - Net::kRowBegin;
      if (of_row >= 0 && of_row < kOutputs) output = of_row;
    }
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) z.v[e] += output == first + e ? value : Number(0);
  }
};

/// Blocks of them: of parameters (unit_parameter of layout.cuh), of the bias row in an interval,
/// and of X_0.
template <class Shape, class Number>
class UnitDirections {
 public:
  enum class Kind { parameters, row, state };

  ITO_DEVICE explicit UnitDirections(int intervals)
      : blocks_(unit_blocks(Shape::kSpec, intervals, scheme_directions)), intervals_(intervals) {}

  /// How many blocks there are.
  ITO_DEVICE int blocks(bool of_state) const {
    return blocks_.parameters + blocks_.rows + (of_state ? blocks_.state : 0);
  }

  ITO_DEVICE void take(int block) {
    int count = unit_count(Shape::kSpec);
    kind_ = Kind::parameters;
    if (block >= blocks_.parameters + blocks_.rows) {
      kind_ = Kind::state;
      block -= blocks_.parameters + blocks_.rows;
      count = Shape::kState;
    } else if (block >= blocks_.parameters) {
      kind_ = Kind::row;
      block -= blocks_.parameters;
      interval_ = block % intervals_;
      block /= intervals_;
      count = unit_row(Shape::kSpec);
    }
    first_ = block * scheme_directions;
    count_ = count - first_ < scheme_directions ? count - first_ : scheme_directions;
  }
  ITO_DEVICE Kind kind() const { return kind_; }
  ITO_DEVICE int count() const { return count_; }
  /// The parameter, the number of the row, or the component of X_0 that direction q is of.
  ITO_DEVICE int place(int q) const {
    return kind_ == Kind::parameters ? unit_parameter(Shape::kSpec, first_ + q) : first_ + q;
  }
  ITO_DEVICE int interval() const { return interval_; }  ///< of rows

  ITO_DEVICE UnitDirection<Number> of(int q, long long, int interval) const {
    return {kind_ == Kind::parameters ? place(q) : -1,
            kind_ == Kind::row && interval == interval_ ? place(q) : -1};
  }
  ITO_DEVICE Number initial(int q, long long, int i) const {
    return Number(kind_ == Kind::state && place(q) == i ? 1 : 0);
  }

 private:
  UnitBlocks blocks_;
  int intervals_;
  Kind kind_ = Kind::parameters;
  int first_ = 0, count_ = 0, interval_ = 0;
};

}  // namespace ito::cuda
