// The CPU engine's activations against long double, over the whole range of float.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/engine.hpp"

namespace ito::test {
namespace {

struct Function {
  const char* name;
  Activation activation;
  long double (*exact)(long double);
  double ulp;  ///< largest accepted error in units of the last place
};

long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }
long double soft_plus(long double x) {
  return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x)));
}

// Measured with AVX-512: 2.5 for tanh, 1.0 for exp; one more quotient or logarithm adds its own.
const Function functions[] = {
    {"tanh", Activation::tanh, [](long double x) { return std::tanh(x); }, 4},
    {"sigmoid", Activation::sigmoid, logistic, 4},
    {"softplus", Activation::softplus, soft_plus, 4},
    {"exp", Activation::exp, [](long double x) { return std::exp(x); }, 4},
};

/// Floats of both signs, every 9973rd in the order of their bits: all exponents, all mantissas
/// alike.
std::vector<float> floats_of_every_size() {
  std::vector<float> out;
  for (std::uint32_t bits = 0; bits < 0x7F800000u; bits += 9973) {
    float x = 0;
    std::memcpy(&x, &bits, sizeof x);
    out.push_back(x);
    out.push_back(-x);
  }
  return out;
}

/// f of every input through a net of one layer, weight 1 and bias 0.
std::vector<float> apply(Activation activation, const std::vector<float>& inputs) {
  std::vector<Tensor> tensors;
  const NetShape net = append_net(tensors, "net", Mlp{.output = activation}, 1, 0, 0, 1);
  const std::vector<float> parameters{1.0f, 0.0f};
  std::vector<float> outputs(inputs.size());
  make_network(net, {Device::cpu(), 1})->forward(parameters, inputs, outputs);
  return outputs;
}

class ActivationAccuracy : public ::testing::TestWithParam<Function> {};

TEST_P(ActivationAccuracy, IsWithinAFewUlpOfLongDoubleEverywhere) {
  const std::vector<float> inputs = floats_of_every_size();
  const std::vector<float> outputs = apply(GetParam().activation, inputs);
  double worst = 0;
  float at = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const long double exact = GetParam().exact(inputs[i]);
    const auto rounded = static_cast<float>(exact);
    if (std::isinf(rounded)) {
      EXPECT_EQ(outputs[i], rounded) << inputs[i];
      continue;
    }
    const float next = std::nextafter(std::abs(rounded), std::numeric_limits<float>::infinity());
    // Below the normal numbers one unit is absolute: the engine may flush there.
    const long double unit = std::max<long double>(next - std::abs(rounded),
                                                   std::numeric_limits<float>::min() * 0x1p-23L);
    const auto error = static_cast<double>(std::abs(outputs[i] - exact) / unit);
    if (error > worst && std::abs(exact) > std::numeric_limits<float>::min()) {
      worst = error;
      at = inputs[i];
    }
  }
  EXPECT_LE(worst, GetParam().ulp) << "at " << at;
}

TEST_P(ActivationAccuracy, GivesNaNForNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float output : apply(GetParam().activation, {nan, -nan})) {
    EXPECT_TRUE(std::isnan(output));
  }
}

TEST(CpuTanh, IsOddToTheBit) {
  const std::vector<float> inputs = floats_of_every_size();  // x and −x in turn
  const std::vector<float> outputs = apply(Activation::tanh, inputs);
  for (std::size_t i = 2; i < inputs.size(); i += 2) {
    ASSERT_EQ(outputs[i], -outputs[i + 1]) << "at " << inputs[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, ActivationAccuracy, ::testing::ValuesIn(functions),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace ito::test
