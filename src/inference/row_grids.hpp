#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/model.hpp>

#include "inference/latent_paths.hpp"

namespace ito {

/// What the rows of a dataset bring with them beside their numbers, as a block takes it: inputs,
/// and grids of their own. Nothing where the model has none and the rows share its grid.
class RowGrids {
 public:
  RowGrids() = default;
  /// `data` fits the validated model.
  RowGrids(const Model& model, const Dataset& data);

  /// Becomes the part of `all` with those rows. Allocates nothing where it has held as many.
  void select(const RowGrids& all, std::span<const std::size_t> rows);
  /// Rows [begin, begin + count) into a block.
  void put(ObservationBlock& block, std::size_t begin, std::size_t count) const;

 private:
  std::size_t steps_ = 0, saves_ = 0;
  DoubleGridRows rows_;
  std::vector<double> times_;  ///< [N, T], at the save steps; beyond a row's, its last time
  std::vector<int> lengths_;   ///< [N]: how many save steps a row has
  std::size_t input_numbers_ = 0;
  std::vector<float> inputs_;  ///< [N, I·U]
};

/// A dataset's rows in their order, as blocks take them.
class DatasetRows {
 public:
  /// Keeps a reference to `data`, which fits the validated `latent`.
  DatasetRows(const LatentModel& latent, const Dataset& data);

  /// Rows [begin, begin + count), with `samples` paths each, whatever the blocks are.
  ObservationBlock block(std::size_t begin, std::size_t count, std::size_t samples,
                         std::uint64_t seed) const;

 private:
  const Dataset& data_;
  std::vector<RowConstant> constants_;
  RowGrids grids_;
};

}  // namespace ito
