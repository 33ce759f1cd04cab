// Nets outside the time loop (make_network): encoders and decoders.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/closeness.hpp"
#include "engine/differences.hpp"
#include "engine/engine.hpp"
#include "engine/model_table.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {
namespace {

struct NetCase {
  int inputs = 0, outputs = 0;
  Mlp mlp;
  std::string name;
};

std::vector<NetCase> nets() {
  std::vector<NetCase> out;
  const auto add = [&](int inputs, int outputs, std::vector<int> hidden, Activation hidden_function,
                       Activation output) {
    const std::string name =
        fmt::format("{} to {} by [{}] {} {}", inputs, outputs, fmt::join(hidden, " "),
                    ito::name(hidden_function), ito::name(output));
    NetCase net;
    net.inputs = inputs;
    net.outputs = outputs;
    net.name = name;
    net.mlp.hidden = std::move(hidden);
    net.mlp.activation = hidden_function;
    net.mlp.output = output;
    out.push_back(std::move(net));
  };
  add(3, 2, {}, Activation::tanh, Activation::identity);
  add(1, 1, {1}, Activation::tanh, Activation::identity);
  add(5, 7, {6, 4}, Activation::silu, Activation::softplus);
  add(64, 16, {32}, Activation::tanh, Activation::identity);
  add(4, 64, {33, 17, 9}, Activation::lipswish, Activation::sigmoid);
  for (const auto& [f, name, use] : activation_table) {
    if (use != ActivationUse::everywhere) continue;
    add(4, 3, {5}, f, Activation::identity);
    add(4, 3, {5}, Activation::tanh, f);
  }
  return out;
}

struct NetworkKind {
  std::string name;
  Device device;
  double value_tolerance, gradient_tolerance;
};

class NetworkEngines : public ::testing::TestWithParam<NetworkKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, NetworkEngines,
                         ::testing::Values(NetworkKind{"reference", Device::reference(), 1e-7,
                                                       1e-6},
                                           NetworkKind{"cpu", Device::cpu(), 1e-5, 1e-4}),
                         [](const auto& row) { return row.param.name; });

/// A net between other tensors, as an encoder lies in a latent model's parameters.
struct Placed {
  std::vector<Tensor> tensors, layers;
  NetShape shape;
  std::vector<double> parameters;

  explicit Placed(const NetCase& net) {
    append_tensor(tensors, "before", {13});
    shape = append_net(tensors, "net", net.mlp, net.inputs, 0, 0, net.outputs);
    layers.assign(tensors.begin() + 1, tensors.end());
    append_tensor(tensors, "after", {5});
    parameters = random_values(total_size(tensors), 1);
  }
  std::size_t begin() const { return shape.parameter_begin(); }
  std::size_t end() const { return shape.parameter_end(); }
};

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}
std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

std::vector<double> outputs_of(const NetCase& net, const Placed& placed,
                               const std::vector<double>& parameters,
                               const std::vector<double>& inputs) {
  std::vector<double> out;
  const auto in = static_cast<std::ptrdiff_t>(net.inputs);
  for (auto row = inputs.begin(); row != inputs.end(); row += in) {
    const auto y = textbook_net(parameters, placed.layers, net.mlp, {row, row + in});
    out.insert(out.end(), y.begin(), y.end());
  }
  return out;
}

constexpr std::size_t row_counts[] = {1, 2, 7, 15, 16, 17, 63, 64, 65, 128, 200};

TEST_P(NetworkEngines, GivesTheNetsOutputsForEveryNumberOfRows) {
  for (const NetCase& net : nets()) {
    const Placed placed(net);
    const auto network = make_network(placed.shape, {GetParam().device, 2});
    for (const std::size_t rows : row_counts) {
      const auto inputs = random_values(rows * static_cast<std::size_t>(net.inputs), rows);
      std::vector<float> got(rows * static_cast<std::size_t>(net.outputs), NAN);
      network->forward(floats(placed.parameters), floats(inputs), got);
      EXPECT_LE(relative_error(doubles(got), outputs_of(net, placed, placed.parameters, inputs)),
                GetParam().value_tolerance)
          << net.name << ", " << rows << " rows";
    }
  }
}

TEST_P(NetworkEngines, GivesTheGradientByDifferences) {
  for (const NetCase& net : nets()) {
    if (net.inputs > 5 || net.mlp.hidden.size() > 2) continue;  // many differences
    SCOPED_TRACE(net.name);
    constexpr std::size_t rows = 9;
    Placed placed(net);
    auto inputs = random_values(rows * static_cast<std::size_t>(net.inputs), 2);
    const auto weights = random_values(rows * static_cast<std::size_t>(net.outputs), 3);
    std::vector<float> gradient(placed.parameters.size(), 0.0F);
    std::vector<float> input_gradient(inputs.size(), NAN);
    make_network(placed.shape, {GetParam().device, 1})
        ->backward(floats(placed.parameters), floats(inputs), floats(weights), gradient,
                   input_gradient);
    const auto loss_now = [&] {
      const auto outputs = outputs_of(net, placed, placed.parameters, inputs);
      double sum = 0;
      for (std::size_t i = 0; i < outputs.size(); ++i) sum += weights[i] * outputs[i];
      return sum;
    };
    EXPECT_LE(relative_error(doubles(gradient), differences(placed.parameters, loss_now)),
              GetParam().gradient_tolerance);
    EXPECT_LE(relative_error(doubles(input_gradient), differences(inputs, loss_now)),
              GetParam().gradient_tolerance);
  }
}

/// For shapes and rows beyond differences: against the reference, which they hold.
TEST_P(NetworkEngines, GivesTheReferencesGradientForEveryNumberOfRows) {
  for (const NetCase& net : nets()) {
    const Placed placed(net);
    const auto parameters = floats(placed.parameters);
    const auto network = make_network(placed.shape, {GetParam().device, 2});
    const auto reference = make_network(placed.shape, {Device::reference(), 1});
    for (const std::size_t rows : row_counts) {
      const auto inputs = floats(random_values(rows * static_cast<std::size_t>(net.inputs), 4));
      const auto weights = floats(random_values(rows * static_cast<std::size_t>(net.outputs), 5));
      std::vector<float> got(parameters.size()), wanted(got), got_in(inputs.size()),
          wanted_in(got_in);
      network->backward(parameters, inputs, weights, got, got_in);
      reference->backward(parameters, inputs, weights, wanted, wanted_in);
      EXPECT_LE(relative_error(doubles(got), doubles(wanted)), GetParam().gradient_tolerance)
          << net.name << ", " << rows << " rows";
      EXPECT_LE(relative_error(doubles(got_in), doubles(wanted_in)), GetParam().gradient_tolerance)
          << net.name << ", " << rows << " rows";
    }
  }
}

TEST_P(NetworkEngines, AddsToItsOwnPartOfTheGradientAlone) {
  const NetCase net = nets()[2];
  const Placed placed(net);
  const auto inputs = floats(random_values(20 * 5, 6)), weights = floats(random_values(20 * 7, 7));
  const auto network = make_network(placed.shape, {GetParam().device, 1});
  std::vector<float> once(placed.parameters.size(), 0.0F), onto(once.size(), 3.0F);
  network->backward(floats(placed.parameters), inputs, weights, once, {});
  network->backward(floats(placed.parameters), inputs, weights, onto, {});
  for (std::size_t p = 0; p < once.size(); ++p) {
    if (p < placed.begin() || p >= placed.end()) {
      EXPECT_EQ(once[p], 0.0F) << p;
      EXPECT_EQ(onto[p], 3.0F) << p;
    } else {
      EXPECT_NEAR(onto[p], once[p] + 3.0F, 1e-5) << p;
    }
  }
}

TEST_P(NetworkEngines, GivesTheSameBitsForAnyNumberOfThreads) {
  const NetCase net = nets()[3];
  const Placed placed(net);
  const auto parameters = floats(placed.parameters);
  const auto inputs = floats(random_values(1000 * 64, 8)),
             weights = floats(random_values(1000 * 16, 9));
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3}) {
    const auto network = make_network(placed.shape, {GetParam().device, threads});
    std::vector<float> all(1000 * 16), gradient(parameters.size()), input_gradient(inputs.size());
    network->forward(parameters, inputs, all);
    network->backward(parameters, inputs, weights, gradient, input_gradient);
    all.insert(all.end(), gradient.begin(), gradient.end());
    all.insert(all.end(), input_gradient.begin(), input_gradient.end());
    results.push_back(all);
  }
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
}

}  // namespace
}  // namespace ito::test
