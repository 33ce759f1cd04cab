#include "inference/checks.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include <fmt/format.h>
#include <ito/dataset.hpp>
#include <ito/error.hpp>

#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Bytes that a LatentPaths and its caller hold a path, the plan's workspace left out.
double bytes_of_path(const LatentShape& shape, Device device, bool gradient) {
  const double states = static_cast<double>(shape.times) * shape.model.state;
  const double numbers = static_cast<double>(shape.times) * shape.observed;
  // E and M, and three cotangents or a log weight.
  double reals = states + 5 + (shape.decoder ? numbers : 0);
  if (gradient) reals += numbers + states + 2;
  const double doubles = 1 + (gradient ? static_cast<double>(shape.log_scales) : 0);
  const double real = device == Device::reference() ? sizeof(double) : sizeof(float);
  return reals * real + doubles * sizeof(double) + 1;
}

void check_grids(const Dataset& data, const Model& model) {
  if (data.grids.empty()) return;
  if (data.grids.size() != data.count)
    throw Error("data.grids", fmt::format("{}", data.grids.size()),
                fmt::format("none, or {}: one a row", data.count));
  grid_rows<float>(model, data.grids);
}

/// That a row has a number, and none at times that its grid has not.
void check_gaps(const Dataset& data, std::size_t r) {
  const std::span<const float> row = data.row(r);
  const auto missing = [](float number) { return std::isnan(number); };
  const std::string name = fmt::format("data row {} of {}", r + 1, data.count);
  if (std::ranges::all_of(row, missing))
    throw Error(name, "nothing but missing numbers", "at least one that is there");
  if (data.grids.empty()) return;
  const std::size_t saves = data.grids[r].save.size();
  if (!std::ranges::all_of(row.subspan(saves * data.dimension), missing))
    throw Error(name, fmt::format("numbers after time {}", saves),
                "NaN there: the row's grid has no more save steps");
}

}  // namespace

bool reads_whole_rows(const Encoder& encoder) {
  return std::holds_alternative<IdentityEncoder>(encoder) ||
         std::holds_alternative<MlpEncoder>(encoder);
}

void check_inputs(const char* field, std::span<const float> inputs, std::size_t rows,
                  const Model& model) {
  if (model.inputs == 0) {
    if (inputs.empty()) return;
    throw Error(field, fmt::format("{} numbers", inputs.size()), "none: the model has no inputs");
  }
  const std::size_t steps = std::max<std::size_t>(model.input_steps.size(), 1);
  const std::size_t width = size(model.inputs);
  const std::size_t wanted = checked_elements<float>(field, {rows, steps, width});
  if (inputs.size() != wanted) {
    throw Error(field, fmt::format("{} numbers", inputs.size()),
                fmt::format("{} (rows × input steps × inputs)", wanted));
  }
  const auto found = std::ranges::find_if(inputs, [](float v) { return !std::isfinite(v); });
  if (found == inputs.end()) return;
  const auto at = static_cast<std::size_t>(found - inputs.begin());
  throw Error(fmt::format("{}: row {} of {}, input step {}, input {}", field,
                          at / (steps * width) + 1, rows, at / width % steps + 1, at % width + 1),
              fmt::format("{}", *found), "finite numbers");
}

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

void check_dataset(const Dataset& data, const LatentModel& latent) {
  const auto times =
      static_cast<std::size_t>(latent.model.save.empty() ? 1 : latent.model.save.size());
  const auto observed = static_cast<std::size_t>(latent.observed);
  if (data.count == 0) throw Error("data", "no rows", "at least one observation");
  if (data.times != times || data.dimension != observed) {
    throw Error(
        "data", fmt::format("{} times of {} numbers a row", data.times, data.dimension),
        fmt::format("{} times of {} (the model's save steps and `observed`)", times, observed));
  }
  check_count("data.count", data.count);
  const std::size_t numbers = checked_elements<float>("data.count", {data.count, times, observed});
  if (data.values.size() != numbers) {
    throw Error("data.values", fmt::format("{} numbers", data.values.size()),
                fmt::format("{} (rows × times × numbers)", numbers));
  }
  check_inputs("data.inputs", data.inputs, data.count, latent.model);
  check_grids(data, latent.model);
  const ObservationModel model(latent.likelihood);
  const bool gaps = !reads_whole_rows(latent.encoder);
  for (std::size_t i = 0; i < data.values.size(); ++i) {
    const float number = data.values[i];
    if (model.accepts(number) || (gaps && std::isnan(number))) continue;
    const std::size_t row = i / (times * observed), column = i % (times * observed);
    throw Error(fmt::format("data row {} of {}, column {}", row + 1, data.count, column + 1),
                fmt::format("{}", number),
                fmt::format("{} (likelihood){}", model.accepted_values(),
                            std::isnan(number) ? "; missing numbers with an encoder \"gru\" or "
                                                 "\"attention\", or none"
                                               : ""));
  }
  for (std::size_t r = 0; r < data.count; ++r) {
    if (gaps) {
      check_gaps(data, r);
    } else if (!data.grids.empty() && data.grids[r].save.size() < times) {
      throw Error(fmt::format("data.grids[{}].save", r),
                  fmt::format("{} steps", data.grids[r].save.size()),
                  fmt::format("{} with an encoder of whole rows; fewer with \"gru\" or "
                              "\"attention\", or none",
                              times));
    }
  }
}

}  // namespace ito
