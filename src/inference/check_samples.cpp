#include "inference/check_samples.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/latent_shape.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Bytes that a LatentPaths and its caller hold a path, the plan's workspace left out.
double bytes_of_path(const LatentShape& shape, Device device, bool gradient) {
  const double states = static_cast<double>(shape.times) * shape.model.state;
  const double numbers = static_cast<double>(shape.times) * shape.observed;
  // E and M, and three cotangents or a log weight.
  double reals = states + 5 + (shape.decoder ? numbers : 0);
  if (gradient) reals += numbers + 2 + (shape.decoder ? states : 0);
  const double doubles = gradient && shape.log_scale ? 2 : 1;
  const double real = device == Device::reference() ? sizeof(double) : sizeof(float);
  return reals * real + doubles * sizeof(double) + 1;
}

}  // namespace

void check_samples(const char* field, std::size_t samples, std::size_t observations,
                   const LatentModel& latent, Device device, bool gradient) {
  check_count(field, samples);
  if (samples > path_limit / std::max<std::size_t>(observations, 1)) {
    throw Error(field, fmt::format("{} for each of {} observations", samples, observations),
                fmt::format("up to {} of them: indices of paths are below 2^33",
                            path_limit / observations));
  }
  check_memory(
      field, samples,
      {.beside = static_cast<double>(samples) * bytes_of_path(resolve(latent), device, gradient)},
      "fewer, since one observation's are held at a time");
}

}  // namespace ito
