// The gradient of the whole chain from series to loss: encoder, posterior of X_0, paths on grids of
// the rows' own, decoder and likelihood with gaps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>
#include <vector>

#include <ito/ito.hpp>

#include "inference/minibatch.hpp"

namespace ito::test {
namespace {

SeriesDataset gappy_series(bool inputs = false) {
  constexpr float gap = std::numeric_limits<float>::quiet_NaN();
  SeriesDataset data{.columns = {"a", "b"}};
  data.series.push_back({"1", {0, 0.3, 0.35, 0.9}, {1, gap, gap, gap, 0.2F, 0.4F, gap, -1}, {}});
  data.series.push_back({"2", {0.5}, {0.3F, 0.7F}, {}});
  data.series.push_back({"3", {-0.2, 0.7, 1.1}, {gap, 0.5F, 0.9F, gap, -0.3F, 0.1F}, {}});
  if (!inputs) return data;
  data.input_columns = {"u", "v"};
  for (Series& series : data.series) {
    for (std::size_t i = 0; i < 2 * series.length(); ++i)
      series.inputs.push_back(static_cast<float>(std::sin(3 * static_cast<double>(i) + 1)));
  }
  return data;
}

SeriesModel small_model(const Encoder& encoder,
                        Likelihood likelihood = Gaussian{.scale = 0.7, .learned = true}) {
  SeriesModel model;
  model.latent.model = {
      .state = 2,
      .grid = {0, 1},
      .initial = GaussianInitial{{0.1, -0.2}, {0.8, 1.1}},
      .drift = Mlp{.hidden = {4}},
      .diffusion = DiagonalDiffusion{Mlp{.hidden = {3}, .output = Activation::softplus}},
      .control = FeedbackControl{Mlp{.hidden = {5}}, 3}};
  model.latent.observed = 2;
  model.latent.encoder = encoder;
  model.latent.decoder = MlpDecoder{Mlp{.hidden = {4}}};
  model.latent.likelihood = std::move(likelihood);
  model.longest_step = 0.15;
  return model;
}

struct SeriesCase {
  Encoder encoder;
  Likelihood likelihood = Gaussian{.scale = 0.7, .learned = true};
};
class SeriesGradient : public testing::TestWithParam<SeriesCase> {};
INSTANTIATE_TEST_SUITE_P(
    Of, SeriesGradient,
    testing::Values(SeriesCase{GruEncoder{.hidden = 3, .decay = true, .initial = true}},
                    SeriesCase{GruEncoder{.hidden = 3},
                               Gaussian{.scales = {0.7, 1.6}, .learned = true}},
                    SeriesCase{AttentionEncoder{.hidden = 4, .initial = true}},
                    SeriesCase{GruEncoder{.hidden = 3},
                               StudentT{.degrees = 3, .scales = {0.4, 1.1}, .learned = true}}));

// The loss is a double and the parameters are floats, whose steps of 2⁻⁷ or so are taken as they
// come out. Of the five-point quotient h⁴/30 f⁽⁵⁾ is left, 1e-10 times what derivatives of tanh
// come to; of the gradient, which is rounded once, 6e-8 of its norm.
void expect_difference_quotients(const SeriesModel& model, const SeriesDataset& series) {
  const auto [latent, data] = latent_series(model, series);
  for (const Objective objective : {Objective::free_energy, Objective::importance_weighted}) {
    const FitOptions options{
        .samples = 6, .objective = objective, .execution = {Device::reference(), 1}};
    Minibatch minibatch(latent, resolve(latent), data, options);
    Parameters parameters = initialize(latent, 3);
    std::uint64_t i = 0;
    for (float& value : parameters.values())
      value += static_cast<float>(0.2 * standard_normal(5, i++, 0, 0, NoiseStream::parameters));
    const auto* gru = std::get_if<GruEncoder>(&latent.encoder);
    if (gru != nullptr && gru->decay) {
      // Rates away from the corner of max(0, ·).
      for (float& value : parameters["encoder.decay.bias"]) value += 1;
    }
    const std::vector<std::size_t> all{0, 1, 2};
    std::vector<float> gradient(parameters.size()), ignored(parameters.size());
    const auto loss = [&] { return minibatch.run(parameters, all, 17, 0.7, ignored).loss; };
    minibatch.run(parameters, all, 17, 0.7, gradient);
    double norm = 0;
    for (const float one : gradient) norm += std::pow(static_cast<double>(one), 2);
    norm = std::sqrt(norm);
    const std::size_t first_scale = resolve(latent).log_scale;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      float& value = parameters.values()[p];
      const float at = value;
      const auto quotient = [&](float step) {
        value = at + step;
        const double above = loss(), from = static_cast<double>(value);
        value = at - step;
        const double below = loss(), to = static_cast<double>(value);
        value = at;
        return (above - below) / (from - to);
      };
      const double fine = quotient(0x1p-8F), coarse = quotient(0x1p-7F);
      EXPECT_NEAR(static_cast<double>(gradient[p]), (4 * fine - coarse) / 3,
                  (p < first_scale ? 1e-6 : 1e-7) * norm)
          << p;
    }
  }
}

// With every number of its own missing, a scale has no gradient at all; the other has one.
TEST(SeriesGaps, HaveNoGradientInAnyScale) {
  SeriesDataset series = gappy_series();
  for (auto& one : series.series)
    for (std::size_t i = 1; i < one.values.size(); i += 2)
      one.values[i] = std::numeric_limits<float>::quiet_NaN();
  series.series[1].values[0] = 0.5F;
  for (const Likelihood& likelihood :
       {Likelihood{Gaussian{.scales = {0.7, 1.6}, .learned = true}},
        Likelihood{StudentT{.degrees = 3, .scales = {0.7, 1.6}, .learned = true}}}) {
    const auto [latent, data] =
        latent_series(small_model(GruEncoder{.hidden = 3}, likelihood), series);
    for (const Device device : {Device::cpu(), Device::reference()}) {
      const FitOptions options{.samples = 6, .execution = {device, 1}};
      Minibatch minibatch(latent, resolve(latent), data, options);
      Parameters gradient = zero_parameters(latent);
      const std::vector<std::size_t> all{0, 1, 2};
      minibatch.run(initialize(latent, 3), all, 17, 1, gradient.values());
      EXPECT_NE(gradient["likelihood.log_scale"][0], 0);
      EXPECT_EQ(gradient["likelihood.log_scale"][1], 0);
    }
  }
}

TEST_P(SeriesGradient, IsTheDifferenceQuotientOfTheLoss) {
  expect_difference_quotients(small_model(GetParam().encoder, GetParam().likelihood),
                              gappy_series());
}

/// Weights of inputs in drift and control, and an encoder whose context stands behind them.
TEST(SeriesGradientOfInputs, IsTheDifferenceQuotientOfTheLoss) {
  SeriesModel model = small_model(GruEncoder{.hidden = 3, .initial = true});
  model.latent.model.inputs = 2;
  expect_difference_quotients(model, gappy_series(true));
  model.latent.encoder = NoEncoder{};
  model.latent.model.control = FeedbackControl{Mlp{.hidden = {5}}};
  expect_difference_quotients(model, gappy_series(true));
}

/// A number that is not there has no part: neither a gap's neighbours nor what the padding holds.
TEST(SeriesGaps, AreNotRead) {
  const auto [latent, data] =
      latent_series(small_model(GruEncoder{.initial = true}), gappy_series());
  const Parameters parameters = initialize(latent, 3);
  // The second series has one time; the others' paddings and grids are longer.
  const Dataset alone = data.slice(1, 2);
  for (const Device device : {Device::cpu(), Device::reference()}) {
    const EvaluateOptions options{.samples = 8, .execution = {device, 1}};
    const auto in_all = evaluate(latent, parameters, options, data);
    Dataset reordered = data;
    reordered.grids = {data.grids[1], data.grids[0], data.grids[2]};
    std::rotate(reordered.values.begin(),
                reordered.values.begin() + static_cast<std::ptrdiff_t>(data.times * 2),
                reordered.values.begin() + static_cast<std::ptrdiff_t>(2 * data.times * 2));
    EXPECT_EQ(evaluate(latent, parameters, options, alone).log_marginal.front(),
              evaluate(latent, parameters, options, reordered).log_marginal.front());
    EXPECT_TRUE(std::isfinite(in_all.elbo));
  }
}

}  // namespace
}  // namespace ito::test
