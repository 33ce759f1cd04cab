#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/plan.hpp>
#include <ito/sample.hpp>

#include "engine/engine.hpp"
#include "inference/checks.hpp"
#include "inference/latent_paths.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// One block of prior paths at the observation times. Prior parameters are a prefix of the model's.
Paths prior_paths(Plan& plan, std::span<const float> parameters, std::size_t first,
                  std::size_t count, const SampleOptions& options, const GridRows& grid) {
  const Model& model = plan.model();
  const std::size_t each = model.input_steps.size() * size(model.inputs);
  Request request{.paths = count,
                  .seed = options.seed,
                  .first_path = first,
                  .grid = grid.steps,
                  .save = grid.save};
  if (each > 0) request.context = options.inputs.subspan(first * each, count * each);
  if (each > 0 || grid.save.size() > model.save.size()) request.paths_per_observation = 1;
  Paths paths = plan.simulate(parameters, request);
  if (paths.non_finite() > 0)
    throw Error("sample", fmt::format("{} of {} prior paths not finite", paths.non_finite(), count),
                "parameters under which every path stays finite");
  return paths;
}

float observe(const ObservationModel& model, double eta, const LogScales& log_scales,
              const SampleOptions& options, std::uint64_t row, std::uint32_t element) {
  if (!std::isfinite(eta))
    throw Error(fmt::format("sample: row {}, column {}", row + 1, element + 1),
                fmt::format("eta = {}", eta), "a finite output of the decoder");
  return static_cast<float>(
      options.mean ? model.mean(eta)
                   : model.draw(eta, log_scales.of(element), options.seed, row, element));
}

}  // namespace

Dataset sample_in_blocks(const LatentModel& latent, std::span<const float> parameters,
                         std::size_t count, const SampleOptions& options, std::size_t memory,
                         std::span<const ObservationGrid> grids) {
  check_paths("sample.count", count);
  const LatentModel checked = validated(latent);
  const LatentShape shape = resolve(checked);
  check_parameters(shape, parameters);
  Plan plan(prior(checked.model), options.execution);
  check_inputs("sample.inputs", options.inputs, count, plan.model());
  const ObservationModel model(checked.likelihood);
  const LogScales log_scales = model.log_scales(shape.log_scales_of(parameters));
  Dataset data{.count = count,
               .times = static_cast<std::size_t>(shape.times),
               .dimension = static_cast<std::size_t>(shape.observed),
               .values = {}};
  const std::size_t row_numbers = data.times * data.dimension;
  const std::size_t numbers = checked_elements<float>("sample.count", {count, row_numbers});
  check_memory("sample.count", count,
               {.results = static_cast<double>(numbers) * sizeof(float),
                .beside = static_cast<double>(std::min(memory, numbers * sizeof(float)))},
               "fewer at a time");
  data.values.reserve(numbers);
  const auto decoder = shape.decoder ? make_network(*shape.decoder, options.execution) : nullptr;
  const std::size_t block = block_observations(shape, 16, (count + 15) / 16, memory) * 16;
  GridRows row_grid;
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t rows = std::min(block, count - begin);
    if (grids.size() == count) {
      row_grid = grid_rows<float>(plan.model(), grids.subspan(begin, rows));
    } else if (!grids.empty() && (begin == 0 || rows < block)) {
      // One for all paths, or beside inputs of their own one for each.
      row_grid = grid_rows<float>(plan.model(),
                                  std::vector(plan.model().inputs > 0 ? rows : 1, grids.front()));
    }
    const Paths paths = prior_paths(plan, parameters, begin, rows, options, row_grid);
    std::vector<float> decoded(decoder ? rows * row_numbers : 0);
    if (decoder) decoder->forward(parameters, paths.states(), decoded);
    const std::vector<float>& eta = decoder ? decoded : paths.states();
    for (std::size_t i = 0; i < rows * row_numbers; ++i)
      data.values.push_back(observe(model, static_cast<double>(eta[i]), log_scales, options,
                                    begin + i / row_numbers,
                                    static_cast<std::uint32_t>(i % row_numbers)));
  }
  return data;
}

Dataset sample(const LatentModel& latent, std::span<const float> parameters, std::size_t count,
               const SampleOptions& options) {
  return sample_in_blocks(latent, parameters, count, options, block_memory);
}

}  // namespace ito
