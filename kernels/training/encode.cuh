// The first kernel of a training step: what the step is told, its minibatch, and a small encoder;
// and that encoder's way back.
#pragma once

#include "kernels/training/small_net.cuh"
#include "kernels/training/training_arguments.cuh"

namespace ito::cuda {

ITO_DEVICE void begin_step(TrainingRecord& record, const StepEntry& step) {
  record.current = step;
  record.step = {0, 0, 0, 0};
  record.loss = 0;
}

ITO_DEVICE float scaled_number(float y, double shift, double scale) {
  return static_cast<float>(scale * (static_cast<double>(y) - shift));
}

/// Number j of a row of the block, which it also leaves in y and `scaled`. `place`: of the block in
/// the epoch's order.
ITO_DEVICE float gather_number(const EncodeArguments& arguments, unsigned place, unsigned row,
                               unsigned j) {
  const unsigned picked = arguments.order[place + row];
  const auto at = [&](unsigned of) {
    return static_cast<unsigned long long>(of) * arguments.length + j;
  };
  const float y = arguments.values[at(picked)];
  const float scaled = scaled_number(y, arguments.shift, arguments.scale);
  arguments.y[at(row)] = y;
  if (arguments.scaled != nullptr) arguments.scaled[at(row)] = scaled;
  if (j == 0) arguments.block_constants[row] = arguments.constants[picked];
  return scaled;
}

/// Scales that are parameters, as log p takes them in this step.
ITO_DEVICE void take_scales(const EncodeArguments& arguments) {
  if (arguments.log_scales == nullptr) return;
  const unsigned long long threads = static_cast<unsigned long long>(grid_size()) * block_size();
  for (unsigned long long j = global_index(); j < arguments.observed; j += threads) {
    arguments.scales[j] =
        number_scale(static_cast<double>(arguments.log_scales[j]), arguments.number);
  }
}

/// Blocks take tiles in turn; without a small encoder, a thread a number.
template <class Net>
ITO_DEVICE void encode(const EncodeArguments& arguments) {
  using Tile = NetTile<Net>;
  const StepEntry& step = arguments.steps[arguments.record->next];
  if (arguments.block == 0 && block_index() == 0 && thread_index() == 0)
    begin_step(*arguments.record, step);
  const unsigned place = step.first + arguments.block;
  take_scales(arguments);
  if constexpr (Tile::kLayers == 0) {
    const unsigned long long i = global_index();
    const auto row = static_cast<unsigned>(i / arguments.length);
    if (row < arguments.rows)
      gather_number(arguments, place, row, static_cast<unsigned>(i % arguments.length));
  } else {
    constexpr unsigned kRows = Tile::kRows, kHidden = hidden_channels(Net::spec);
    Tile::template stage<true>(arguments.parameters);
    for (unsigned first = block_index() * kRows; first < arguments.rows;
         first += grid_size() * kRows) {
      Tile::fill(Tile::buffer(0), Net::spec.inputs, [&](unsigned r, unsigned j) {
        return first + r < arguments.rows ? gather_number(arguments, place, first + r, j) : 0.0f;
      });
      block_barrier();
      Tile::forward(arguments.parameters, [&](int layer, unsigned j, int r, float z) {
        const unsigned long long row = first + static_cast<unsigned>(r);
        if (row >= arguments.rows) return;
        if (layer + 1 < Tile::kLayers) {
          arguments.hidden[row * kHidden +
                           static_cast<unsigned>(channels_before(Net::spec, layer)) + j] = z;
        } else {
          const auto f = Tile::template activated<Tile::kLayers - 1>(z);
          arguments.outputs[row * Tile::kOutputs + j] = f.value;
          arguments.slopes[row * Tile::kOutputs + j] = f.slope;
        }
      });
    }
  }
}

/// As `encode`.
template <class Net>
ITO_DEVICE void encode_back(const EncodeBackArguments& arguments) {
  using Tile = NetTile<Net>;
  constexpr unsigned kRows = Tile::kRows, kHidden = hidden_channels(Net::spec);
  float* const sums =
      arguments.sums + block_index() * (Net::spec.parameters_end() - Net::spec.parameters);
  Tile::template stage<false>(arguments.parameters);
  const unsigned begin = block_index() * kRows;
  for (unsigned first = begin; first < arguments.rows; first += grid_size() * kRows) {
    const auto numbers_of = [&](const float* numbers, unsigned width) {
      return [=, rows = arguments.rows](unsigned r, unsigned j) {
        const unsigned long long row = first + r;
        return row < rows ? numbers[row * width + j] : 0.0f;
      };
    };
    const auto cotangent = numbers_of(arguments.cotangents, Tile::kOutputs);
    const auto slope = numbers_of(arguments.slopes, Tile::kOutputs);
    const auto hidden = numbers_of(arguments.hidden, kHidden);
    const auto y = numbers_of(arguments.y, arguments.length);
    Tile::fill(Tile::buffer(0), Tile::kOutputs,
               [&](unsigned r, unsigned j) { return cotangent(r, j) * slope(r, j); });
    block_barrier();
    Tile::template backward<false>(
        sums, first == begin,
        [&](int layer, unsigned j, int r) {
          return hidden(static_cast<unsigned>(r),
                        static_cast<unsigned>(channels_before(Net::spec, layer)) + j);
        },
        [&](unsigned r, unsigned j) {
          return scaled_number(y(r, j), arguments.shift, arguments.scale);
        },
        [](unsigned, int, float) {});
  }
}

}  // namespace ito::cuda
