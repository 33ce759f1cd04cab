#include "inference/training_engine.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/latent_paths.hpp"
#include "inference/row_grids.hpp"

namespace ito {
namespace {

/// What the paths of one row of the data came to.
struct RowPaths {
  std::size_t row = 0;
  std::size_t finite = 0;
  double log_likelihood = 0;  ///< mean over the finite ones
};

/// The step's paths once more, row by row.
std::vector<RowPaths> run_rows(const TrainingTask& task, std::uint64_t seed,
                               std::span<const std::size_t> rows,
                               std::span<const float> parameters) {
  const Dataset& data = task.training;
  const std::size_t samples = task.options.samples, numbers = data.times * data.dimension;
  const std::size_t block = block_observations(task.shape, samples, rows.size(), block_memory,
                                               task.options.execution.device);
  const auto paths = make_latent_paths(task.latent, task.shape,
                                       {.observations = block,
                                        .samples = samples,
                                        .gradient = false,
                                        .execution = task.options.execution});
  const ObservationModel model(task.latent.likelihood);
  const RowGrids all_grids(task.latent.model, data);
  RowGrids grids;
  std::vector<RowPaths> result;
  for (std::size_t begin = 0; begin < rows.size(); begin += block) {
    const auto some = rows.subspan(begin, std::min(block, rows.size() - begin));
    std::vector<float> y;
    for (const std::size_t row : some)
      y.insert(y.end(), data.row(row).begin(), data.row(row).end());
    const std::vector<RowConstant> constants = row_constants(model, y, numbers);
    grids.select(all_grids, some);
    ObservationBlock of{
        .y = y, .constants = constants, .seed = seed, .first_path = begin * samples};
    grids.put(of, 0, some.size());
    paths->forward(parameters, of);
    for (std::size_t r = 0; r < some.size(); ++r) {
      RowPaths one{.row = some[r]};
      for (std::size_t path = r * samples; path < (r + 1) * samples; ++path) {
        if (paths->dropped()[path]) continue;
        ++one.finite;
        one.log_likelihood += paths->log_likelihood()[path];
      }
      if (one.finite > 0) one.log_likelihood /= static_cast<double>(one.finite);
      result.push_back(one);
    }
  }
  return result;
}

/// "1e+30 in column 2"
std::string largest_number(std::span<const float> row) {
  const auto place = std::ranges::max_element(
      row, {}, [](float value) { return std::isnan(value) ? -1.0F : std::abs(value); });
  return fmt::format("{} in column {}", *place, place - row.begin() + 1);
}

/// "data row 81 of 200", "data rows 3, 5, 9 and 2 more of 200"
std::string names_of(std::span<const RowPaths> rows, std::size_t count) {
  std::string text = rows.size() == 1 ? "data row " : "data rows ";
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 3); ++i)
    text += fmt::format("{}{}", i > 0 ? ", " : "", rows[i].row + 1);
  if (rows.size() > 3) text += fmt::format(" and {} more", rows.size() - 3);
  return fmt::format("{} of {}", text, count);
}

}  // namespace

bool too_many_non_finite(const StepOutcome& outcome, const StepPlan& plan,
                         const FitOptions& options) {
  return static_cast<double>(outcome.non_finite) >
         options.non_finite_limit * static_cast<double>(plan.rows * options.samples);
}

bool acceptable(const StepOutcome& outcome, const StepPlan& plan, const FitOptions& options) {
  return !too_many_non_finite(outcome, plan, options) &&
         outcome.observations >= plan.least_observations && std::isfinite(outcome.loss) &&
         std::isfinite(outcome.gradient_norm);
}

void explain_refusal(const StepRefused& refused, const TrainingTask& task, std::uint64_t epoch,
                     const StepPlan& plan, std::span<const std::size_t> rows,
                     std::span<const float> parameters) {
  const StepOutcome& outcome = refused.outcome;
  const std::size_t paths = plan.rows * task.options.samples;
  const std::string where = fmt::format("fit: epoch {}, step {}", epoch + 1, refused.step + 1);
  const std::vector<RowPaths> all = run_rows(task, plan.seed, rows, parameters);
  std::vector<RowPaths> lost;
  std::ranges::copy_if(all, std::back_inserter(lost),
                       [](const RowPaths& one) { return one.finite == 0; });
  // It is the rows' fault where the step would be taken without them.
  StepOutcome others = outcome;
  others.non_finite -= std::min(others.non_finite, lost.size() * task.options.samples);
  StepPlan of_others = plan;
  of_others.rows -= lost.size();
  const bool blamed = !lost.empty() && (plan.rows == 1 || of_others.rows > 0) &&
                      !too_many_non_finite(others, of_others, task.options);
  if (blamed) {
    throw Error(fmt::format("{}: {}", where, names_of(lost, task.training.count)),
                fmt::format("no finite path; the largest number of row {} is {}", lost[0].row + 1,
                            largest_number(task.training.row(lost[0].row))),
                "observations that some path gives a finite likelihood: correct such a row or "
                "leave it out, or scale the data");
  }
  const std::string advice =
      epoch == 0 && refused.step == 0
          ? "smaller time steps, a smaller diffusion or data of a smaller scale may help"
          : "a smaller fit.learning_rate or fit.clip_norm may help";
  if (too_many_non_finite(outcome, plan, task.options)) {
    throw Error(where, fmt::format("{} of {} paths not finite", outcome.non_finite, paths),
                fmt::format("a fraction up to fit.non_finite_limit = {}; {}",
                            task.options.non_finite_limit, advice));
  }
  const RowPaths& least = *std::ranges::min_element(all, {}, &RowPaths::log_likelihood);
  throw Error(
      where, fmt::format("loss {} with gradient norm {}", outcome.loss, outcome.gradient_norm),
      fmt::format("finite numbers; the least likely observation is data row {} of {}, whose "
                  "largest number is {}; {}",
                  least.row + 1, task.training.count, largest_number(task.training.row(least.row)),
                  advice));
}

}  // namespace ito
