#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/evaluate.hpp>

#include "inference/latent_paths.hpp"
#include "inference/row_grids.hpp"

namespace ito {

/// Evaluates one model on one data set again and again, for changing parameters. Memory is bounded:
/// it goes through the data in blocks, and path s of observation i is path i·S + s of the noise
/// whatever the blocks are.
class Evaluator {
 public:
  /// Keeps a reference to `data`, which fits the model. `field` is what the caller calls
  /// `options.samples`.
  Evaluator(const LatentModel& latent, const LatentShape& shape, const Dataset& data,
            const EvaluateOptions& options, std::size_t memory = block_memory,
            const char* field = "evaluate.samples");

  /// Throws ito::Error when more paths are non-finite than accepted, or all of one observation.
  Evaluation run(std::span<const float> parameters);

 private:
  const Dataset& data_;
  EvaluateOptions options_;
  DatasetRows rows_;
  std::size_t block_;
  std::unique_ptr<LatentPaths> paths_;
  std::vector<double> log_weights_;  ///< [S] of one observation
};

}  // namespace ito
