#include <algorithm>
#include <optional>
#include <vector>

#include <ito/error.hpp>
#include <ito/evaluate.hpp>

#include "inference/latent_paths.hpp"
#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "model/reference_net.hpp"

namespace ito {

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
  const LogScales log_scales = model.log_scales(shape.log_scales_of(parameters));
  std::optional<reference::ReferenceNet> decoder;
  if (shape.decoder) decoder.emplace(*shape.decoder);
  return [model, log_scales, decoder, constant = model.constant(y),
          weights = std::vector<double>(parameters.begin(), parameters.end()),
          observed = std::vector<float>(y.begin(), y.end())](std::span<const double> x,
                                                             std::span<double> gradient) {
    std::optional<reference::ReferenceNet> net = decoder;  // its trace is this call's
    std::span<const double> decoded = x;
    if (net) {
      std::copy(x.begin(), x.end(), net->input().begin());
      net->forward(weights.data());
      decoded = net->output();
    }
    std::vector<double> cotangent(gradient.empty() ? 0 : decoded.size());
    double log_probability = 0;
    model.evaluate<double>({.y = observed, .constants = {&constant, 1}, .eta = decoded}, log_scales,
                           1,
                           {.log_probability = {&log_probability, 1},
                            .eta_derivative = cotangent,
                            .log_scale_derivative = {}});
    if (gradient.empty()) return log_probability;
    const std::span<const double> by_x =
        net ? net->backward(weights.data(), cotangent, nullptr) : cotangent;
    std::copy(by_x.begin(), by_x.end(), gradient.begin());
    return log_probability;
  };
}

}  // namespace ito
