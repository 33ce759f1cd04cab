#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <ito/ito.hpp>

#include "engine/closeness.hpp"
#include "engine/differences.hpp"
#include "inference/series.hpp"
#include "model/check.hpp"

namespace ito::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

class EncodersOfSeries : public testing::TestWithParam<EncoderCase> {};

// Lengths 0, 1 and all slots; the differences' own error is below 1e-9 of the gradient.
TEST_P(EncodersOfSeries, GradientIsTheDifferenceQuotient) {
  OwnEncoder<double> encoder(GetParam().encoder);
  const EncodedSeries data = series({1, 4, 0, 6, 3}, 6, 2);
  const std::vector<double> gradient = encoder.gradient(data);
  const std::vector<double> wanted =
      differences(encoder.parameters, [&] { return encoder.loss(data); });
  EXPECT_LE(relative_error(gradient, wanted), 1e-9);
  for (const Tensor& tensor : encoder.named.tensors()) {
    const auto part = [&](const std::vector<double>& all) {
      return std::span(all).subspan(tensor.offset, tensor.size);
    };
    EXPECT_LE(relative_error(part(gradient), part(wanted)), 1e-7) << tensor.name;
    EXPECT_EQ(norm(part(wanted)) > 1e-3, tensor.name != "model") << tensor.name;
  }
}

// Each number is a few dozen roundings of 6e-8 away.
TEST_P(EncodersOfSeries, FloatsAgreeWithDoubles) {
  OwnEncoder<double> exact(GetParam().encoder);
  const EncodedSeries data = series({1, 4, 0, 6, 3}, 6, 2);
  const auto doubles = [](const std::vector<float>& numbers) {
    return std::vector<double>(numbers.begin(), numbers.end());
  };
  for (const Device device : {Device::cpu(), Device::reference()}) {
    OwnEncoder<float> encoder(GetParam().encoder, device);
    const auto got = encoder.forward(data);
    const auto wanted = exact.forward(data);
    EXPECT_LE(relative_error(doubles(got.context), wanted.context), 2e-6) << device.name();
    EXPECT_LE(relative_error(doubles(got.initial), wanted.initial), 2e-6) << device.name();
    EXPECT_LE(relative_error(doubles(encoder.gradient(data)), exact.gradient(data)), 5e-6)
        << device.name();
  }
}

TEST_P(EncodersOfSeries, ARowDoesNotDependOnOthersOnPaddingOrOnThreads) {
  OwnEncoder<float> encoder(GetParam().encoder, {Device::cpu(), 1});
  std::vector<int> lengths;
  for (int r = 0; r < 150; ++r) lengths.push_back((r * 7) % 12);
  const EncodedSeries all = series(lengths, 12, 2, nan);
  const auto together = encoder.forward(all);
  for (const std::size_t r : {0, 1, 5, 64, 90, 149}) {
    const auto length = static_cast<std::size_t>(lengths[r]);
    const EncodedSeries one = series({lengths[r]}, std::max<std::size_t>(length, 1), 2, 1e30f, r);
    const auto alone = encoder.forward(one);
    const auto context = std::span(together.context).subspan(r * 12 * 3, 12 * 3);
    EXPECT_TRUE(
        std::ranges::equal(std::span(alone.context).first(length * 3), context.first(length * 3)))
        << r;
    EXPECT_TRUE(std::ranges::all_of(context.subspan(length * 3), [](float c) { return c == 0; }));
    EXPECT_TRUE(std::ranges::equal(alone.initial, std::span(together.initial).subspan(r * 4, 4)));
  }
  const std::vector<float> gradient = encoder.gradient(all);
  EXPECT_EQ(encoder.gradient(series(lengths, 12, 2, 1e30f)), gradient);
  EXPECT_TRUE(std::ranges::all_of(gradient, [](float g) { return std::isfinite(g); }));
  for (const int threads : {2, 3}) {
    OwnEncoder<float> other(GetParam().encoder, {Device::cpu(), threads});
    const auto outputs = other.forward(all);
    EXPECT_EQ(outputs.context, together.context);
    EXPECT_EQ(outputs.initial, together.initial);
    EXPECT_EQ(other.gradient(all), gradient);
  }
}

TEST_P(EncodersOfSeries, ARowOfContextSeesItsObservationAndThoseAfterIt) {
  OwnEncoder<float> encoder(GetParam().encoder, {Device::cpu(), 1});
  const auto reads = size(encoder.shape.reads > 0 ? encoder.shape.reads : 8), changed = reads / 2;
  EncodedSeries data = series({8}, 8, 2);
  data.number(0, changed, 1) = 0.25f;
  const auto before = encoder.forward(data);
  data.number(0, changed, 1) = 0.5f;
  const auto after = encoder.forward(data);
  for (std::size_t i = 0; i < 8; ++i) {
    const bool same = std::ranges::equal(std::span(before.context).subspan(3 * i, 3),
                                         std::span(after.context).subspan(3 * i, 3));
    EXPECT_EQ(same, i > changed && i < reads) << i;
  }
  EXPECT_NE(before.initial, after.initial);
}

// A number that is missing is not the number 0, nor shift, and a large one is not missing.
TEST_P(EncodersOfSeries, OnlyNaNIsMissing) {
  OwnEncoder<float> encoder(GetParam().encoder, {Device::cpu(), 1});
  EncodedSeries data = series({3}, 3, 2);
  std::vector<std::vector<float>> contexts;
  for (const float number : {nan, 0.0f, 0.5f, 1.0f, 1e30f}) {
    data.number(0, 1, 0) = number;
    contexts.push_back(encoder.forward(data).context);
  }
  for (std::size_t a = 0; a < contexts.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(contexts[a], contexts[b]) << a << ", " << b;
  data.number(0, 1, 0) = -nan;
  EXPECT_EQ(encoder.forward(data).context, contexts[0]);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EncodersOfSeries, testing::ValuesIn(encoder_cases()),
                         [](const auto& test) { return test.param.name; });

// What comes later changes nothing, and its intervals have the context of the first.
TEST(EncodersOfTheFirst, ReadNoMore) {
  const EncodedSeries whole = series({5, 2, 0}, 6, 2), part = series({2, 2, 0}, 6, 2);
  const auto check = [&](Encoder all, Encoder of_the_first) {
    OwnEncoder<double> wanted(std::move(all)), encoder(std::move(of_the_first));
    const auto seen = wanted.forward(part), got = encoder.forward(whole);
    EXPECT_EQ(got.initial, seen.initial);
    for (std::size_t row = 0; row < 3; ++row)
      for (std::size_t slot = 0; slot < 6; ++slot)
        for (std::size_t i = 0; i < 3; ++i)
          EXPECT_EQ(got.context[(row * 6 + slot) * 3 + i],
                    seen.context[(row * 6 + (row == 0 && slot > 1 && slot < 5 ? 0 : slot)) * 3 + i])
              << row << ", " << slot;
  };
  check(GruEncoder{.hidden = 5}, GruEncoder{.hidden = 5, .reads = 2});
  check(AttentionEncoder{.hidden = 6}, AttentionEncoder{.hidden = 6, .reads = 2});
}

// Times without a number, as those asked of `impute` are, do not count.
TEST(EncodersOfTheFirst, CountObservationsAlone) {
  EncodedSeries data = series({6}, 6, 2);
  for (const std::size_t slot : {0, 1, 3}) data.number(0, slot, 0) = 0.5F;
  for (const std::size_t slot : {2, 4})
    for (const std::size_t j : {0, 1}) data.number(0, slot, j) = nan;
  OwnEncoder<double> encoder(GruEncoder{.hidden = 5, .reads = 3});
  const auto before = encoder.forward(data);
  data.number(0, 5, 0) = 7;
  EXPECT_EQ(encoder.forward(data).context, before.context);
  data.number(0, 3, 0) = 7;
  EXPECT_NE(encoder.forward(data).context, before.context);
}

// So many units that threads share a step.
TEST(GruEncoders, AreTheSameBitsOnAnyNumberOfThreads) {
  const EncodedSeries data = series(std::vector<int>(150, 4), 4, 2);
  std::vector<std::vector<float>> contexts, gradients;
  for (const int threads : {1, 2, 3}) {
    OwnEncoder<float> encoder(GruEncoder{.hidden = 64, .decay = true}, {Device::cpu(), threads});
    contexts.push_back(encoder.forward(data).context);
    gradients.push_back(encoder.gradient(data));
  }
  for (std::size_t i = 1; i < contexts.size(); ++i) {
    EXPECT_EQ(contexts[i], contexts[0]);
    EXPECT_EQ(gradients[i], gradients[0]);
  }
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Parameters by name.
struct Named {
  const Parameters& all;
  /// Row i of W times x, plus the bias.
  double affine(const std::string& weight, const std::string& bias, std::size_t i,
                const std::vector<double>& x) const {
    double sum = static_cast<double>(all[bias][i]);
    for (std::size_t j = 0; j < x.size(); ++j)
      sum += static_cast<double>(all[weight][i * x.size() + j]) * x[j];
    return sum;
  }
};

std::vector<double> masked(const EncodedSeries& data, std::size_t slot, double shift,
                           double scale) {
  std::vector<double> x(4);
  for (std::size_t j = 0; j < 2; ++j) {
    const auto number = static_cast<double>(data.y[slot * 2 + j]);
    x[j] = std::isnan(number) ? 0 : scale * (number - shift);
    x[2 + j] = std::isnan(number) ? 0 : 1;
  }
  return x;
}

// The formulas of torch.nn.GRU's documentation, unit by unit, and equation 4 of Che et al. (2018).
TEST(GruEncoders, AreTheCellsOfTheDocumentation) {
  for (const bool decay : {false, true}) {
    OwnEncoder<double> encoder(
        GruEncoder{.hidden = 3, .decay = decay, .time = true, .shift = 1, .scale = 0.5});
    const Named named{encoder.named};
    const EncodedSeries data = series({5}, 5, 2);
    const auto got = encoder.forward(data);
    std::vector<double> h(3, 0.0);
    for (std::size_t i = 5; i-- > 0;) {
      const double gap = i < 4 ? data.times[i + 1] - data.times[i] : 0.0;
      std::vector<double> x = masked(data, i, 1, 0.5);
      x.insert(x.end(), {gap, data.times[i]});
      for (std::size_t u = 0; u < 3 && decay; ++u) {
        const double rate = named.affine("encoder.decay.weight", "encoder.decay.bias", u, {gap});
        h[u] *= std::exp(-std::max(0.0, rate));
      }
      std::vector<double> next(3);
      for (std::size_t u = 0; u < 3; ++u) {
        const auto input = [&](std::size_t gate) {
          return named.affine("encoder.gru.weight_ih", "encoder.gru.bias_ih", 3 * gate + u, x);
        };
        const auto state = [&](std::size_t gate) {
          return named.affine("encoder.gru.weight_hh", "encoder.gru.bias_hh", 3 * gate + u, h);
        };
        const double r = sigmoid(input(0) + state(0)), z = sigmoid(input(1) + state(1));
        const double n = std::tanh(input(2) + r * state(2));
        next[u] = (1 - z) * n + z * h[u];
      }
      h = next;
      for (std::size_t c = 0; c < 3; ++c)
        EXPECT_NEAR(got.context[i * 3 + c],
                    named.affine("encoder.out.weight", "encoder.out.bias", c, h), 1e-14);
    }
    for (std::size_t c = 0; c < 4; ++c)
      EXPECT_NEAR(got.initial[c],
                  named.affine("encoder.initial.weight", "encoder.initial.bias", c, h), 1e-14);
  }
}

// The formulas of AttentionEncoder's documentation.
TEST(AttentionEncoders, AreWeightedMeansByScoresOfTime) {
  constexpr std::size_t heads = 2, width = 2, features = 3, n = width + features;
  OwnEncoder<double> encoder(
      AttentionEncoder{.hidden = 4, .heads = 2, .rates = 2, .shift = 1, .scale = 0.5});
  const Named named{encoder.named};
  const EncodedSeries data = series({5}, 5, 2);
  const auto got = encoder.forward(data);
  const auto phi = [](double time) {
    const double s = time / 2;  // the horizon
    return std::vector<double>{s, std::exp(-s), std::exp(-4 * s)};
  };
  const std::string net = "encoder.attention.observation.";
  for (std::size_t i = 0; i < 5; ++i) {
    std::vector<double> state;
    for (std::size_t head = 0; head < heads; ++head) {
      std::vector<double> query;
      for (std::size_t u = 0; u < n; ++u)
        query.push_back(named.affine("encoder.attention.query.weight",
                                     "encoder.attention.query.bias", head * n + u,
                                     phi(data.times[i] - data.times[0])));
      std::vector<double> sum(n, 0.0);
      double total = 0;
      for (std::size_t j = i; j < 5; ++j) {
        std::vector<double> embedding;
        for (std::size_t u = 0; u < 4; ++u)
          embedding.push_back(std::tanh(
              named.affine(net + "0.weight", net + "0.bias", u, masked(data, j, 1, 0.5))));
        std::vector<double> key = phi(data.times[j] - data.times[i]), value = key;
        for (std::size_t u = width; u-- > 0;) {
          const auto of = [&](std::size_t row) {
            return named.affine(net + "1.weight", net + "1.bias", row, embedding);
          };
          key.insert(key.begin(), of(head * width + u));
          value.insert(value.begin(), of(4 + head * width + u));
        }
        double score = 0;
        for (std::size_t u = 0; u < n; ++u) score += query[u] * key[u] / std::sqrt(n);
        total += std::exp(score);
        for (std::size_t u = 0; u < n; ++u) sum[u] += std::exp(score) * value[u];
      }
      for (std::size_t u = 0; u < n; ++u) state.push_back(query[u] + sum[u] / total);
    }
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(got.context[i * 3 + c],
                  named.affine("encoder.out.weight", "encoder.out.bias", c, state), 1e-13);
  }
}

TEST(SequenceEncoderShapes, NameTheirTensors) {
  const auto names = [](const Encoder& encoder) {
    const OwnEncoder<double> own(encoder);
    std::string text;
    for (const Tensor& tensor : own.named.tensors()) {
      text += tensor.name + " [";
      for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
      text += "] ";
    }
    return text;
  };
  EXPECT_EQ(names(GruEncoder{.hidden = 8, .decay = true}),
            "model [5] encoder.gru.weight_ih [24, 6] encoder.gru.bias_ih [24] "
            "encoder.gru.weight_hh [24, 8] encoder.gru.bias_hh [24] encoder.decay.weight [8] "
            "encoder.decay.bias [8] encoder.out.weight [3, 8] encoder.out.bias [3] "
            "encoder.initial.weight [4, 8] encoder.initial.bias [4] ");
  EXPECT_EQ(names(AttentionEncoder{.hidden = 8, .heads = 2, .rates = 3}),
            "model [5] encoder.attention.observation.0.weight [8, 4] "
            "encoder.attention.observation.0.bias [8] encoder.attention.observation.1.weight "
            "[16, 8] encoder.attention.observation.1.bias [16] encoder.attention.query.weight "
            "[16, 4] encoder.attention.query.bias [16] encoder.out.weight [3, 16] "
            "encoder.out.bias [3] encoder.initial.weight [4, 16] encoder.initial.bias [4] ");
}

TEST(SequenceEncoderShapes, StartAsNetsDoWithAStandardDeviationOfOne) {
  OwnEncoder<float> encoder(GruEncoder{.hidden = 64, .decay = true});
  Parameters fresh(
      std::vector<Tensor>(encoder.named.tensors().begin(), encoder.named.tensors().end()));
  initialize_sequence_encoder(fresh, encoder.shape, 5);
  for (const Tensor& tensor : fresh.tensors()) {
    const auto values = fresh[tensor.name];
    if (tensor.shape.size() == 1 && tensor.name != "encoder.decay.weight") {
      EXPECT_TRUE(std::ranges::all_of(values, [](float v) { return v == 0; })) << tensor.name;
      continue;
    }
    const std::size_t inputs = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
    const std::size_t count = tensor.name == "encoder.initial.weight" ? 2 * inputs : tensor.size;
    double square = 0;
    for (const float value : values.first(count))
      square += static_cast<double>(value) * static_cast<double>(value);
    const double mean = square / static_cast<double>(count) * static_cast<double>(inputs);
    EXPECT_NEAR(mean, 1, 4 * std::sqrt(2.0 / static_cast<double>(count))) << tensor.name;
  }
  const auto log_std = fresh["encoder.initial.weight"].subspan(2 * 64);
  EXPECT_TRUE(std::ranges::all_of(log_std, [](float v) { return v == 0; }));
}

}  // namespace
}  // namespace ito::test
