#include <cmath>
#include <string>

#include <fmt/format.h>
#include <ito/dataset.hpp>
#include <ito/error.hpp>

#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "model/check.hpp"

namespace ito {

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
  const ObservationModel model(latent.likelihood);
  for (std::size_t i = 0; i < data.values.size(); ++i) {
    if (model.accepts(data.values[i])) continue;
    const std::size_t row = i / (times * observed), column = i % (times * observed);
    throw Error(fmt::format("data row {} of {}, column {}", row + 1, data.count, column + 1),
                fmt::format("{}", data.values[i]),
                fmt::format("{} (likelihood)", model.accepted_values()));
  }
}

}  // namespace ito
