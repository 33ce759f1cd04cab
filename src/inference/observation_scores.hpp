#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/latent_model.hpp>
#include <ito/parameters.hpp>

#include "inference/latent_paths.hpp"
#include "inference/row_grids.hpp"

namespace ito {

struct ObservationScoreOptions {
  std::size_t samples = 1;  ///< S paths of an estimate
  std::uint64_t seed = 0;
  Execution execution{};
};

/// Estimates of d log p(y_i)/dθ of single observations, for the numbers θ of some tensors: the
/// gradient of the importance-weighted bound.
class ObservationScores {
 public:
  /// Keeps references to all of them, which fit each other.
  ObservationScores(const LatentModel& latent, const LatentShape& shape,
                    std::span<const float> parameters, const Dataset& data,
                    std::span<const Tensor> tensors, const ObservationScoreOptions& options);
  ~ObservationScores();

  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  /// Two estimates, by paths of their own, of each of the observations from `begin` on, as many as
  /// there are rows [n, P]. An estimate does not depend on the others. Throws ito::Error where no
  /// path of an observation is finite.
  void estimate(std::size_t begin, Rows& first, Rows& second);

 private:
  class Worker;

  DatasetRows rows_;
  std::vector<std::unique_ptr<Worker>> workers_;  ///< one a thread
};

}  // namespace ito
