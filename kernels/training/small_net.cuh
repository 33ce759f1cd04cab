// A small net over tiles of rows, a tile a block at a time: forward, and back to the cotangents of
// its inputs and a gradient of the block's own. Plain float sums; rows are few, so what counts is
// that weights are read once and that all threads have some of a product.
//
// `Net` has a NetSpec `spec` and the number `rows` of a tile's rows. A tile's channels lie in
// shared memory [channels, channel_stride(rows)].
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/faithful_float.cuh"
#include "kernels/training/net_layout.cuh"

namespace ito::cuda {

template <class Net>
struct NetTile {
  static constexpr NetSpec kSpec = Net::spec;
  static constexpr int kLayers = kSpec.layers, kRows = Net::rows;
  static constexpr unsigned kStride = channel_stride(kRows), kQuads = kRows / 4;
  static constexpr unsigned kOutputs = kLayers == 0 ? 0 : kSpec.widths[kLayers - 1];
  static_assert(kRows % 4 == 0 && widest_channels(kSpec) <= net_threads);

  /// One number for each row.
  struct Column {
    float v[kRows];
  };

  ITO_DEVICE static Shared<float> buffer(unsigned i) {
    return shared_memory().as<float>() + i * widest_channels(kSpec) * kStride;
  }
  ITO_DEVICE static Shared<float> parts() { return buffer(net_buffers); }
  /// A number for each row.
  ITO_DEVICE static Shared<float> row_numbers() { return parts() + net_threads * kStride; }
  ITO_DEVICE static Shared<float> matrix(int layer, bool forward) {
    return shared_memory().as<float>() + static_cast<unsigned>(matrices_offset(kSpec, kRows) +
                                                               matrix_begin(kSpec, layer, forward));
  }

  ITO_DEVICE static Column load(Shared<const float> channels, unsigned channel) {
    Column column;
    ITO_UNROLL
    for (unsigned q = 0; q < kQuads; ++q) {
      const auto quad = (channels + channel * kStride).template as<const Quad<float>>().load(q);
      ITO_UNROLL
      for (unsigned e = 0; e < 4; ++e) column.v[4 * q + e] = quad.v[e];
    }
    return column;
  }
  ITO_DEVICE static void store(Shared<float> channels, unsigned channel, const Column& column) {
    ITO_UNROLL
    for (unsigned q = 0; q < kQuads; ++q) {
      (channels + channel * kStride)
          .template as<Quad<float>>()
          .store(q,
                 {column.v[4 * q], column.v[4 * q + 1], column.v[4 * q + 2], column.v[4 * q + 3]});
    }
  }

  /// channels[i][r] = number(r, i) for a tile of `width` channels, neighbouring threads
  /// neighbouring channels.
  template <class Number>
  ITO_DEVICE static void fill(Shared<float> channels, unsigned width, const Number& number) {
    for (unsigned e = thread_index(); e < width * kRows; e += net_threads)
      channels.store(e % width * kStride + e / width, number(e / width, e % width));
  }

  /// Copies a net's weights to shared memory; a block does so once.
  template <bool kForward, int kLayer = 0>
  ITO_DEVICE static void stage(const float* parameters) {
    if constexpr (kLayer < kLayers) {
      constexpr unsigned kColumns = kSpec.columns(kLayer),
                         kRow = matrix_row(kSpec, kLayer, kForward);
      constexpr unsigned kCount = kSpec.widths[kLayer] * kColumns, kBatch = 16;
      const float* weights = parameters + kSpec.weight(kLayer);
      const Shared<float> to = matrix(kLayer, kForward);
      ITO_ROLLED
      for (unsigned first = thread_index(); first < kCount; first += kBatch * net_threads) {
        float batch[kBatch];  // loads that are under way together
        ITO_UNROLL
        for (unsigned b = 0; b < kBatch; ++b) {
          const unsigned i = first + b * net_threads;
          batch[b] = i < kCount ? load_read_only(weights + i) : 0.0f;
        }
        ITO_UNROLL
        for (unsigned b = 0; b < kBatch; ++b) {
          const unsigned i = first + b * net_threads;
          if (i < kCount) to.store(kForward ? i % kColumns * kRow + i / kColumns : i, batch[b]);
        }
      }
      stage<kForward, kLayer + 1>(parameters);
    }
  }

  /// finish(j, column) with column[r] = Σ_k matrix[k, j] x[k][r] in one thread for every j. Groups
  /// of threads share the sum. All threads take part; a barrier stands before and after.
  template <unsigned kInner, unsigned kWidth, class Finish>
  ITO_DEVICE static void multiply(Shared<const float> matrix, unsigned row, Shared<const float> x,
                                  const Finish& finish) {
    constexpr unsigned kMost = net_threads / kWidth < 16 ? net_threads / kWidth : 16;
    constexpr unsigned kGroups = kInner / 8 == 0 ? 1 : kInner / 8 < kMost ? kInner / 8 : kMost;
    const unsigned j = thread_index() % kWidth, group = thread_index() / kWidth;
    Column sums{};
    if (group < kGroups) {
      ITO_UNROLLED_4
      for (unsigned k = group; k < kInner; k += kGroups) {
        const float weight = matrix.load(k * row + j);
        const Column in = load(x, k);
        ITO_UNROLL
        for (int r = 0; r < kRows; ++r) sums.v[r] = fma(weight, in.v[r], sums.v[r]);
      }
    }
    if constexpr (kGroups > 1) {
      if (group > 0 && group < kGroups) store(parts(), group * kWidth + j, sums);
      block_barrier();
      if (group > 0) return;
      ITO_ROLLED
      for (unsigned other = 1; other < kGroups; ++other) {
        const Column part = load(parts(), other * kWidth + j);
        ITO_UNROLL
        for (int r = 0; r < kRows; ++r) sums.v[r] += part.v[r];
      }
    }
    if (group == 0) finish(j, sums);
  }

  template <int kLayer>
  ITO_DEVICE static ValueAndSlope<float> activated(float z) {
    constexpr Activation kActivation = kLayer + 1 == kLayers ? kSpec.output : kSpec.hidden;
    const auto f = value_and_slope<kActivation>(FaithfulFloat(z));
    return {static_cast<float>(f.value), static_cast<float>(f.slope)};
  }

  /// From inputs in buffer 0 to the sums z of the last layer in buffer kLayers % 2. Of every layer
  /// it tells z before: keep(layer, channel, row, z). A barrier stands before and after.
  template <int kLayer = 0, class Keep>
  ITO_DEVICE static void forward(const float* parameters, const Keep& keep) {
    if constexpr (kLayer < kLayers) {
      constexpr bool kLast = kLayer + 1 == kLayers;
      multiply<kSpec.columns(kLayer), kSpec.widths[kLayer]>(
          matrix(kLayer, true), matrix_row(kSpec, kLayer, true), buffer(kLayer % 2),
          [&](unsigned j, Column& column) {
            const float bias = load_read_only(parameters + kSpec.bias(kLayer) + j);
            ITO_UNROLL
            for (int r = 0; r < kRows; ++r) {
              const float z = column.v[r] + bias;
              keep(kLayer, j, r, z);
              column.v[r] = kLast ? z : activated<kLayer>(z).value;
            }
            store(buffer((kLayer + 1) % 2), j, column);
          });
      block_barrier();
      forward<kLayer + 1>(parameters, keep);
    }
  }

  /// sums [weights, bias] of a layer += Σ_r delta[o][r] x[i][r], or = where they are the `first`.
  template <int kLayer>
  ITO_DEVICE static void add_gradient(Shared<const float> delta, Shared<const float> x, float* sums,
                                      bool first) {
    constexpr unsigned kInputs = kSpec.columns(kLayer), kOuts = kSpec.widths[kLayer];
    constexpr unsigned kGroups = net_threads / kInputs;
    const unsigned i = thread_index() % kInputs, group = thread_index() / kInputs;
    float* const weights = sums + kSpec.weight(kLayer) - kSpec.parameters;
    float* const biases = sums + kSpec.bias(kLayer) - kSpec.parameters;
    if (group < kGroups) {
      const Column in = load(x, i);
      ITO_UNROLLED_4
      for (unsigned o = group; o < kOuts; o += kGroups) {
        const Column out = load(delta, o);
        float sum = 0;
        ITO_UNROLL
        for (int r = 0; r < kRows; ++r) sum = fma(out.v[r], in.v[r], sum);
        float& to = weights[o * kInputs + i];
        to = first ? sum : to + sum;
      }
    }
    for (unsigned o = thread_index(); o < kOuts; o += net_threads) {
      const Column out = load(delta, o);
      float sum = 0;
      ITO_UNROLL
      for (int r = 0; r < kRows; ++r) sum += out.v[r];
      biases[o] = first ? sum : biases[o] + sum;
    }
  }

  /// From the cotangents of the last layer's z in buffer 0 to the gradient of `sums` [parameters of
  /// the net], and, with kBack, to those of the inputs: back(channel, row, cotangent). kept(layer,
  /// channel, row) is z of a hidden layer, input(row, channel) a number of x. Barriers as above.
  template <bool kBack, int kLayer = kLayers - 1, class Kept, class Input, class Back>
  ITO_DEVICE static void backward(float* sums, bool first, const Kept& kept, const Input& input,
                                  const Back& back) {
    const Shared<float> delta = buffer((kLayers - 1 - kLayer) % 2), x = buffer(2);
    constexpr unsigned kInner = kSpec.widths[kLayer], kWidth = kSpec.columns(kLayer);
    constexpr unsigned kRow = matrix_row(kSpec, kLayer, false);
    if constexpr (kLayer > 0) {
      const Shared<float> next = buffer((kLayers - kLayer) % 2);
      multiply<kInner, kWidth>(matrix(kLayer, false), kRow, delta, [&](unsigned i, Column& column) {
        Column values;
        ITO_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const auto f = activated<kLayer - 1>(kept(kLayer - 1, i, r));
          values.v[r] = f.value;
          column.v[r] *= f.slope;
        }
        store(x, i, values);
        store(next, i, column);
      });
    } else {
      fill(x, kWidth, input);
      if constexpr (kBack) {
        multiply<kInner, kWidth>(matrix(0, false), kRow, delta, [&](unsigned i, Column& column) {
          ITO_UNROLL
          for (int r = 0; r < kRows; ++r) back(i, r, column.v[r]);
        });
      }
    }
    block_barrier();
    add_gradient<kLayer>(delta, x, sums, first);
    block_barrier();
    if constexpr (kLayer > 0) backward<kBack, kLayer - 1>(sums, first, kept, input, back);
  }
};

}  // namespace ito::cuda
