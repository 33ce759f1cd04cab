#include <memory>
#include <vector>

#include <ito/error.hpp>
#include <ito/evaluate.hpp>

#include "inference/latent_paths.hpp"
#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "model/scalar_math.hpp"

namespace ito {
namespace {

/// A net of one row in double precision, with its derivative.
class Perceptron {
 public:
  Perceptron(NetShape shape, std::span<const float> parameters)
      : shape_(std::move(shape)), parameters_(parameters.begin(), parameters.end()) {}

  struct Trace {
    std::vector<std::vector<double>> values, slopes;  ///< of each layer
  };
  Trace forward(std::span<const double> x) const {
    Trace trace;
    std::vector<double> in(x.begin(), x.end());
    for (const LayerShape& layer : shape_.layers) {
      std::vector<double> out, slope;
      for (int r = 0; r < layer.outputs; ++r) {
        double z = parameters_[layer.bias + static_cast<std::size_t>(r)];
        const float* weight = &parameters_[layer.weight + static_cast<std::size_t>(r) * in.size()];
        for (std::size_t j = 0; j < in.size(); ++j) z += static_cast<double>(weight[j]) * in[j];
        const auto f = value_and_slope(layer.activation, z);
        out.push_back(f.value);
        slope.push_back(f.slope);
      }
      trace.values.push_back(out);
      trace.slopes.push_back(slope);
      in = std::move(out);
    }
    return trace;
  }
  /// Derivative by the input of cotangent · output.
  std::vector<double> backward(const Trace& trace, std::vector<double> cotangent) const {
    for (std::size_t l = shape_.layers.size(); l-- > 0;) {
      const LayerShape& layer = shape_.layers[l];
      const auto inputs = static_cast<std::size_t>(layer.inputs);
      std::vector<double> before(inputs);
      for (std::size_t r = 0; r < cotangent.size(); ++r) {
        const double z = cotangent[r] * trace.slopes[l][r];
        for (std::size_t j = 0; j < inputs; ++j)
          before[j] += z * static_cast<double>(parameters_[layer.weight + r * inputs + j]);
      }
      cotangent = std::move(before);
    }
    return cotangent;
  }

 private:
  NetShape shape_;
  std::vector<float> parameters_;
};

}  // namespace

LogDensity observation_log_density(const LatentModel& given, std::span<const float> parameters,
                                   std::span<const float> y) {
  const LatentModel latent = validated(given);
  const LatentShape shape = resolve(latent);
  check_parameters(shape, parameters);
  if (shape.times != 1)
    throw Error("save", std::to_string(shape.times) + " observation times", "one");
  check_dataset({.count = 1, .times = 1, .dimension = y.size(), .values = {y.begin(), y.end()}},
                latent);
  const ObservationModel model(latent.likelihood);
  const double log_scale = shape.log_scale ? static_cast<double>(parameters[*shape.log_scale])
                                           : model.initial_log_scale();
  std::shared_ptr<const Perceptron> decoder;
  if (shape.decoder) decoder = std::make_shared<Perceptron>(*shape.decoder, parameters);
  return [model, log_scale, decoder, constant = model.constant(y),
          observed = std::vector<float>(y.begin(), y.end())](std::span<const double> x,
                                                             std::span<double> gradient) {
    Perceptron::Trace trace;
    std::span<const double> decoded = x;
    if (decoder) {
      trace = decoder->forward(x);
      decoded = trace.values.back();
    }
    std::vector<double> cotangent(gradient.empty() ? 0 : decoded.size());
    double log_probability = 0;
    model.evaluate<double>({.y = observed, .constants = {&constant, 1}, .eta = decoded}, log_scale,
                           1,
                           {.log_probability = {&log_probability, 1},
                            .eta_derivative = cotangent,
                            .log_scale_derivative = {}});
    if (gradient.empty()) return log_probability;
    if (decoder) cotangent = decoder->backward(trace, std::move(cotangent));
    std::copy(cotangent.begin(), cotangent.end(), gradient.begin());
    return log_probability;
  };
}

}  // namespace ito
