#include "inference/row_scores.hpp"

#include <limits>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <ito/error.hpp>

#include <ito/averages.hpp>
#include "inference/observation_model.hpp"
#include "model/check.hpp"

namespace ito {

Moments moments_of(std::span<const float> values) {
  Averages averages;
  for (const float value : values) averages.add(static_cast<double>(value));
  return {averages.mean(), averages.variance()};
}

bool is_count(const Likelihood& likelihood) {
  return !std::holds_alternative<Gaussian>(likelihood) &&
         !std::holds_alternative<StudentT>(likelihood);
}

double variance_floor(const Likelihood& likelihood, const Dataset& training) {
  if (is_count(likelihood)) return 0;
  const std::size_t columns = training.times * training.dimension;
  std::vector<Averages> averages(columns);
  for (std::size_t i = 0; i < training.values.size(); ++i)
    averages[i % columns].add(static_cast<double>(training.values[i]));
  double variance = 0;
  for (const Averages& column : averages) variance += column.variance();
  if (!(variance > 0)) throw Error("training data", "the same row over and over", "rows that vary");
  return 1e-6 * variance / static_cast<double>(columns);
}

void check_baseline_data(const Likelihood& likelihood, const Dataset& training,
                         const Dataset& held_out) {
  for (const Dataset* data : {&training, &held_out}) {
    check_count("data.times", data->times, 1, std::size_t{steps_range.most} + 1);
    check_count("data.dimension", data->dimension, 1, observed_range.most);
    LatentModel model{.likelihood = likelihood, .observed = static_cast<int>(data->dimension)};
    model.model.save.resize(data->times);
    check_dataset(*data, model);
  }
  const std::size_t columns = training.times * training.dimension;
  if (held_out.times * held_out.dimension != columns)
    throw Error("held-out data", fmt::format("{} columns", held_out.times * held_out.dimension),
                fmt::format("{}, as the training data", columns));
}

BaselineScore score_rows(std::string name, std::span<const double> log_probabilities) {
  Averages averages;
  for (const double number : log_probabilities) averages.add(number);
  return {.name = std::move(name),
          .log_probability = averages.mean(),
          .log_probability_error = averages.error(),
          .log_marginal = {log_probabilities.begin(), log_probabilities.end()}};
}

}  // namespace ito
