#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "inference/sequence_encoder.hpp"

// Irregular series and the encoders that read them.
namespace ito::test {

/// Rows whose slots past their lengths hold `padding`, in y and in times.
struct EncodedSeries {
  std::size_t slots = 0, observed = 0;
  std::vector<float> y;
  std::vector<double> times;
  std::vector<int> lengths;

  SequenceRows rows() const { return {slots, y, times, lengths}; }
  float& number(std::size_t row, std::size_t slot, std::size_t j) {
    return y[(row * slots + slot) * observed + j];
  }
};

inline double series_normal(std::uint64_t i, std::uint32_t which) {
  return standard_normal(31, i, which, 0, NoiseStream::parameters);
}

/// A number is a function of its row, slot and place alone, and a third of them are missing.
inline EncodedSeries series(std::vector<int> lengths, std::size_t slots, std::size_t observed,
                            float padding = 0, std::size_t first_row = 0) {
  EncodedSeries result{slots, observed, {}, {}, std::move(lengths)};
  for (std::size_t r = 0; r < result.lengths.size(); ++r) {
    double time = 0.05;
    for (std::size_t s = 0; s < slots; ++s) {
      const bool there = static_cast<int>(s) < result.lengths[r];
      const std::uint64_t at = (first_row + r) * 1000 + s;
      time += 0.02 + 0.1 * std::abs(series_normal(at, 50));
      result.times.push_back(there ? time : static_cast<double>(padding));
      for (std::uint32_t j = 0; j < observed; ++j) {
        const bool missing = series_normal(at, 100 + j) > 0.43;
        const float number = missing ? std::numeric_limits<float>::quiet_NaN()
                                     : static_cast<float>(1 + series_normal(at, j));
        result.y.push_back(there ? number : padding);
      }
    }
  }
  return result;
}

/// An encoder of D = 2 numbers to C = 3 and to q(x_0 | y) of 2 numbers, with its own parameters,
/// which stand after 5 of a model's.
template <class Real>
struct OwnEncoder {
  explicit OwnEncoder(const Encoder& encoder, Execution execution = {Device::reference(), 1}) {
    LatentModel latent;
    latent.model.state = 2;
    latent.model.grid = uniform_grid(2.0, 4);
    FeedbackControl control;
    control.context = 3;
    latent.model.control = control;
    std::vector<Tensor> tensors{{"model", {5}, 0, 5}};
    shape = *append_sequence_encoder(tensors, encoder, resolve(latent.model), observed, 2);
    Parameters initial(tensors);
    initialize_sequence_encoder(initial, shape, 3);
    std::uint64_t i = 0;
    for (float& value : initial.values())
      value += static_cast<float>(0.3 * series_normal(i++, 7));  // biases too
    named = initial;
    parameters.assign(initial.values().begin(), initial.values().end());
    net.emplace(shape, execution);
  }

  struct Outputs {
    std::vector<Real> context, initial;
  };
  Outputs forward(const EncodedSeries& series) {
    Outputs outputs{std::vector<Real>(series.lengths.size() * series.slots * context),
                    std::vector<Real>(series.lengths.size() * 4)};
    net->forward(parameters, series.rows(), outputs.context, outputs.initial);
    return outputs;
  }
  /// Of Σ cotangent · output, with cotangents that are functions of row, slot and place alone.
  std::vector<Real> gradient(const EncodedSeries& series) {
    const Outputs outputs = forward(series);
    const Outputs by = cotangents(series);
    std::vector<Real> result(parameters.size());
    net->backward(parameters, by.context, by.initial, result);
    return result;
  }
  double loss(const EncodedSeries& series) {
    const Outputs outputs = forward(series), by = cotangents(series);
    double sum = 0;
    for (std::size_t i = 0; i < by.context.size(); ++i)
      sum += static_cast<double>(by.context[i]) * static_cast<double>(outputs.context[i]);
    for (std::size_t i = 0; i < by.initial.size(); ++i)
      sum += static_cast<double>(by.initial[i]) * static_cast<double>(outputs.initial[i]);
    return sum;
  }
  static Outputs cotangents(const EncodedSeries& series) {
    Outputs by;
    for (std::size_t r = 0; r < series.lengths.size(); ++r) {
      for (std::uint32_t i = 0; i < 4; ++i)
        by.initial.push_back(static_cast<Real>(series_normal(r, 200 + i)));
      for (std::size_t s = 0; s < series.slots; ++s)
        for (std::uint32_t i = 0; i < context; ++i)
          by.context.push_back(static_cast<Real>(series_normal(r * 1000 + s, 300 + i)));
    }
    return by;
  }

  static constexpr int observed = 2;
  static constexpr std::size_t context = 3;
  SequenceEncoderShape shape;
  Parameters named;
  std::vector<Real> parameters;
  std::optional<SequenceEncoder<Real>> net;
};

struct EncoderCase {
  std::string name;
  Encoder encoder;
};
/// Widths that are no multiple of a vector's lanes.
inline std::vector<EncoderCase> encoder_cases() {
  return {{"gru", GruEncoder{.hidden = 7, .time = false, .shift = 0.5, .scale = 2}},
          {"gru_with_time", GruEncoder{.hidden = 5}},
          {"gru_decay", GruEncoder{.hidden = 6, .decay = true, .shift = 1, .scale = 0.5}},
          {"attention", AttentionEncoder{.hidden = 5, .heads = 1, .rates = 2, .scale = 0.5}},
          {"gru_of_the_first", GruEncoder{.hidden = 5, .reads = 3}},
          {"attention_of_the_first", AttentionEncoder{.hidden = 6, .rates = 2, .reads = 2}},
          {"attention_of_heads", AttentionEncoder{.hidden = 6, .heads = 3, .rates = 3}}};
}

}  // namespace ito::test
