// What stands between the matrix products of a net in the layered engine's time loop
// (src/cuda/layered/step_net.hpp): bias, time, context and activation on the way forward, slopes
// and sums of bias gradients on the way back. A thread takes two columns of a tile's 16 rows.
#pragma once

#include "kernels/layered/device_net.cuh"
#include "kernels/layered/factors.cuh"

namespace ito::cuda {

/// The columns and tile of this thread.
struct PairPlace {
  int column, tile;
  bool inside;
  long long row;  ///< the tile's first one in the arrays of the block

  ITO_DEVICE PairPlace(int stride, const BlockTiles& tiles) {
    const auto i = static_cast<unsigned>(global_index());
    const unsigned pairs = static_cast<unsigned>(stride) / 2;
    column = 2 * static_cast<int>(i % pairs);
    tile = static_cast<int>(i / pairs);
    inside = tile < tiles.count;
    row = static_cast<long long>(tiles.first_row) + 16 * tile;
  }
};

/// Rows of a tile that a thread has in registers at once.
inline constexpr int rows_at_once = 8;
template <class Number>
using RowPairs = Pair<Number>[rows_at_once];

/// Those of two columns that lie within `width`, else zero.
template <class Number>
ITO_DEVICE Pair<Number> within_width(Pair<Number> v, int column, int width) {
  return {{column < width ? v.v[0] : Number(0), column + 1 < width ? v.v[1] : Number(0)}};
}

/// z = W x of rows from `first_row` on.
template <class Number>
ITO_DEVICE void sum_inputs(const LayerArguments<Number>& arguments, int own_column,
                           long long first_row, RowPairs<Number>& z) {
  ITO_UNROLL
  for (int r = 0; r < rows_at_once; ++r) z[r] = {{Number(0), Number(0)}};
  const int last = arguments.width - 1;
  const auto weights_of = [&](int column) {
    return arguments.weights +
           static_cast<long long>(column < last ? column : last) * arguments.x_stride;
  };
  const Number *first = weights_of(own_column), *second = weights_of(own_column + 1);
  const Number* x = arguments.x + first_row * arguments.x_stride;
  ITO_ROLLED
  for (int i = 0; i < arguments.inputs; i += 2) {
    const auto w0 = *reinterpret_cast<const Pair<Number>*>(first + i);
    const auto w1 = *reinterpret_cast<const Pair<Number>*>(second + i);
    ITO_UNROLL
    for (int r = 0; r < rows_at_once; ++r) {
      const auto of_row = *reinterpret_cast<const Pair<Number>*>(x + r * arguments.x_stride + i);
      ITO_UNROLL
      for (int e = 0; e < 2; ++e) {
        z[r].v[0] = fma(w0.v[e], of_row.v[e], z[r].v[0]);
        z[r].v[1] = fma(w1.v[e], of_row.v[e], z[r].v[1]);
      }
    }
  }
}

/// Where this thread's columns of row `row` lie in an array [rows, segments·stride].
template <class Factors>
ITO_DEVICE auto* factors_at(void* array, long long row, int segments, int stride, int column) {
  return static_cast<typename Factors::Element*>(array) + row * segments * stride + column;
}
template <class Factors>
ITO_DEVICE const auto* factors_at(const void* array, long long row, int segments, int stride,
                                  int column) {
  return static_cast<const typename Factors::Element*>(array) + row * segments * stride + column;
}

/// From [rows, stride] of Numbers or, where `narrow`, of 16 bits.
template <class P, class Number>
ITO_DEVICE void load_sums(const void* from, int narrow, int column, long long first_row, int stride,
                          RowPairs<Number>& z) {
  if constexpr (LayerFactors<P>::kNarrow) {
    using Left = typename LayerFactors<P>::Left;
    if (narrow != 0) {
      ITO_UNROLL
      for (int r = 0; r < rows_at_once; ++r)
        z[r] = Left::load(factors_at<Left>(from, first_row + r, 1, stride, column), 0);
      return;
    }
  }
  ITO_UNROLL
  for (int r = 0; r < rows_at_once; ++r)
    z[r] = *reinterpret_cast<const Pair<Number>*>(static_cast<const Number*>(from) +
                                                  (first_row + r) * stride + column);
}

/// Which observation a tile of a launch belongs to.
template <class Number>
ITO_DEVICE long long observation_of(const LayerOfStep<Number>& arguments, const PairPlace& place) {
  const auto index = static_cast<unsigned>(arguments.tiles.first_index + place.tile);
  return static_cast<long long>(tile_paths_of(arguments.map, index).observation);
}

/// When the step is for this tile.
template <class Number>
struct StepOfTile {
  Number time;
  int interval;

  ITO_DEVICE StepOfTile(const LayerOfStep<Number>& arguments, const PairPlace& place)
      : time(arguments.time), interval(arguments.interval) {
    if (arguments.grid == nullptr) return;
    const auto& own = arguments.grid[observation_of(arguments, place) * arguments.steps];
    time = own.time;
    interval = own.interval;
  }
};

/// What is added to a column's sums in this tile.
template <class Number>
ITO_DEVICE Number layer_bias(const LayerArguments<Number>& arguments, const PairPlace& place,
                             int column) {
  if (column >= arguments.width) return Number(0);
  const StepOfTile step(arguments, place);
  Number bias;
  if (arguments.bias_rows != nullptr) {
    const long long row = observation_of(arguments, place) * arguments.intervals + step.interval;
    bias = arguments.bias_rows[row * arguments.row + column];
  } else {
    bias = arguments.bias[column];
  }
  if (arguments.time_weights != nullptr) {
    bias = fma(arguments.time_weights[static_cast<long long>(column) * arguments.time_stride],
               step.time, bias);
  }
  return bias;
}

/// As factors of 16 bits those of an unbounded activation are held to their range.
template <class P, Activation kActivation, class Number>
ITO_DEVICE Pair<Number> as_factors(Pair<Number> v) {
  if constexpr (LayerFactors<P>::kScaled &&
                ActivationFunction<kActivation>::range.high == unbounded) {
    return {{nan_beyond_f16(v.v[0]), nan_beyond_f16(v.v[1])}};
  }
  return v;
}

template <class P, Activation kActivation>
ITO_DEVICE void activate_layer(const LayerArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Left = typename LayerFactors<P>::Left;
  using Kept = typename LayerFactors<P>::Kept;
  const int stride = arguments.stride;
  const PairPlace place(stride, arguments.tiles);
  if (!place.inside) return;
  const Number bias[2] = {layer_bias(arguments, place, place.column),
                          layer_bias(arguments, place, place.column + 1)};
  ITO_ROLLED
  for (int half = 0; half < 16; half += rows_at_once) {
    const long long first_row = place.row + half;
    RowPairs<Number> z;
    if (arguments.z == nullptr) {
      sum_inputs(arguments, place.column, first_row, z);
    } else {
      load_sums<P>(arguments.z, arguments.narrow, place.column, first_row, stride, z);
    }
    ITO_UNROLL
    for (int r = 0; r < rows_at_once; ++r) {
      const long long row = first_row + r;
      Pair<Number> value, slope;
      ITO_UNROLL
      for (int e = 0; e < 2; ++e) {
        Number sum = z[r].v[e];
        // Below the range of 16 bits stands −∞, where z σ(z) would be a NaN for its 0.
        if constexpr (LayerFactors<P>::kNarrow && keeps_slopes(kActivation)) {
          sum = max_nan(sum, -largest_f16);
        }
        const auto f = value_and_slope<kActivation>(typename P::Activated(sum + bias[e]));
        value.v[e] = static_cast<Number>(f.value);
        slope.v[e] = static_cast<Number>(f.slope);
      }
      value = within_width(value, place.column, arguments.width);
      if (arguments.values != nullptr) {
        Left::store_left(
            factors_at<Left>(arguments.values, row, Left::kRow.segments(), stride, place.column),
            stride, as_factors<P, kActivation>(value));
      }
      if (arguments.outputs != nullptr) {
        *reinterpret_cast<Pair<Number>*>(arguments.outputs + row * stride + place.column) = value;
      }
      if (arguments.slopes != nullptr) {
        Kept::store_left(factors_at<Kept>(arguments.slopes, row, 1, stride, place.column), stride,
                         slope);
      }
    }
  }
}

/// f' of rows from `first_row` on.
template <class P, Activation kActivation, class Number>
ITO_DEVICE void load_slopes(const void* kept, int column, long long first_row, int stride,
                            RowPairs<Number>& slopes) {
  using Left = typename LayerFactors<P>::Left;
  using Kept = typename LayerFactors<P>::Kept;
  ITO_UNROLL
  for (int r = 0; r < rows_at_once; ++r) {
    const long long row = first_row + r;
    if constexpr (kActivation == Activation::identity) {
      slopes[r] = {{Number(1), Number(1)}};
    } else if constexpr (keeps_slopes(kActivation)) {
      slopes[r] = Kept::load(factors_at<Kept>(kept, row, 1, stride, column), stride);
    } else {
      slopes[r] =
          Left::load(factors_at<Left>(kept, row, Left::kRow.segments(), stride, column), stride);
    }
  }
  if constexpr (kActivation != Activation::identity && !keeps_slopes(kActivation)) {
    ITO_UNROLL
    for (int r = 0; r < rows_at_once; ++r) {
      ITO_UNROLL
      for (int e = 0; e < 2; ++e) {
        slopes[r].v[e] = slope_of_value<P, kActivation>(slopes[r].v[e]);
      }
    }
  }
}

inline constexpr float steepest_slope = 1.25f;  ///< of a hidden layer's activation, and more

/// Adds a tile's sums of two columns.
template <class Number>
ITO_DEVICE void add_layer_sums(const PullBackArguments<Number>& arguments, const PairPlace& place,
                               const Number (&sum)[2]) {
  const long long tile = place.row / 16, index = arguments.tiles.first_index + place.tile;
  const StepOfTile step(arguments, place);
  ITO_UNROLL
  for (int e = 0; e < 2; ++e) {
    const int column = place.column + e;
    if (column >= arguments.width) continue;
    const long long own = tile * arguments.width + column;
    if (arguments.sums != nullptr) arguments.sums[own] += sum[e];
    if (arguments.time_sums != nullptr) {
      arguments.time_sums[own] = fma(step.time, sum[e], arguments.time_sums[own]);
    }
    if (arguments.row_sums != nullptr) {
      arguments.row_sums[(index * arguments.intervals + step.interval) * arguments.row + column] +=
          sum[e];
    }
  }
}

template <class P, Activation kActivation>
ITO_DEVICE void pull_back_layer(const PullBackArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Left = typename LayerFactors<P>::Left;
  const int stride = arguments.stride;
  const PairPlace place(stride, arguments.tiles);
  Number inverse = Number(1), unit = Number(1);  // of what comes in, and of what goes out
  if constexpr (LayerFactors<P>::kScaled) {
    if (arguments.scaled != 0) inverse = arguments.before->inverse;
    if (arguments.delta != nullptr) {
      const float norm = arguments.norm != nullptr ? *arguments.norm : 1.0f;
      unit = unit_of_factors(bits_float(arguments.before->size) * norm * steepest_slope);
      if (global_index() == 0) {
        arguments.own->inverse = 1.0f / unit;
        arguments.own->one = 1.0f;
      }
    }
  }
  float size = 0;
  if (place.inside) {
    Number sum[2] = {Number(0), Number(0)};
    ITO_ROLLED
    for (int half = 0; half < 16; half += rows_at_once) {
      const long long first_row = place.row + half;
      RowPairs<Number> delta;
      load_sums<P>(arguments.cotangents, 0, place.column, first_row, stride, delta);
      RowPairs<Number> slopes;
      load_slopes<P, kActivation>(arguments.kept, place.column, first_row, stride, slopes);
      ITO_UNROLL
      for (int r = 0; r < rows_at_once; ++r) {
        const long long row = first_row + r;
        ITO_UNROLL
        for (int e = 0; e < 2; ++e) delta[r].v[e] *= inverse * slopes[r].v[e];
        delta[r] = within_width(delta[r], place.column, arguments.width);
        ITO_UNROLL
        for (int e = 0; e < 2; ++e) {
          sum[e] += delta[r].v[e];
          if constexpr (LayerFactors<P>::kScaled) {
            size = larger(size, delta[r].v[e]);
          }
        }
        if (arguments.delta == nullptr) {
          *reinterpret_cast<Pair<Number>*>(arguments.cotangents + row * stride + place.column) =
              delta[r];
        } else {
          Left::store_left(
              factors_at<Left>(arguments.delta, row, Left::kRow.segments(), stride, place.column),
              stride, {{delta[r].v[0] * unit, delta[r].v[1] * unit}});
        }
      }
    }
    add_layer_sums(arguments, place, sum);
  }
  if constexpr (LayerFactors<P>::kScaled) {
    if (arguments.delta != nullptr) raise_size(arguments.own, size);
  }
}

/// A thread for each number of the padded matrix.
template <class P>
ITO_DEVICE void pack_layer(const PackLayerArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Left = typename LayerFactors<P>::Left;
  const auto i = static_cast<long long>(global_index());
  const long long in_stride = arguments.in_stride;
  const long long row = i / in_stride, column = i % in_stride;
  if (row >= arguments.out_stride) return;
  Number weight = Number(0);
  if (row < arguments.outputs && column < arguments.inputs) {
    weight = arguments.from[row * arguments.from_stride + column];
  }
  if (row < arguments.outputs && arguments.plain != nullptr) arguments.plain[i] = weight;
  if (arguments.forward != nullptr) {
    auto* to = static_cast<typename Left::Element*>(arguments.forward);
    Left::store_right(to + row * Left::kRow.segments() * in_stride + column, in_stride, weight);
  }
  if (arguments.back != nullptr) {
    auto* to = static_cast<typename Left::Element*>(arguments.back);
    Left::store_right(to + i, arguments.out_stride * in_stride, weight);
  }
}

/// A thread for each input.
template <class P>
ITO_DEVICE void weight_norm(const WeightNormArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const auto j = static_cast<long long>(global_index());
  if (j >= arguments.inputs) return;
  Number sum = Number(0);
  ITO_UNROLLED_4
  for (int i = 0; i < arguments.outputs; ++i) {
    sum += Math<Number>::abs(arguments.weights[static_cast<long long>(i) * arguments.stride + j]);
  }
  atomic_max(arguments.norm, float_bits(static_cast<float>(sum)));
}

}  // namespace ito::cuda
