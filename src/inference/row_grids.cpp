#include "inference/row_grids.hpp"

#include <algorithm>

namespace ito {
namespace {

/// Appends row `row` of `from`, of `width` numbers.
template <class T>
void append_row(std::vector<T>& to, const std::vector<T>& from, std::size_t row,
                std::size_t width) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
}

}  // namespace

RowGrids::RowGrids(const Model& model, const Dataset& data) {
  inputs_ = data.inputs;
  input_numbers_ = data.inputs.size() / data.count;
  if (data.grids.empty()) return;
  rows_ = grid_rows<double>(model, data.grids);
  steps_ = rows_.steps.size() / data.count;
  saves_ = rows_.save.size() / data.count;
  for (const ObservationGrid& grid : data.grids) {
    lengths_.push_back(static_cast<int>(grid.save.size()));
    for (std::size_t s = 0; s < saves_; ++s) {
      const auto step =
          s < grid.save.size() ? static_cast<std::size_t>(grid.save[s]) : grid.times.size() - 1;
      times_.push_back(grid.times[step]);
    }
  }
}

void RowGrids::select(const RowGrids& all, std::span<const std::size_t> rows) {
  steps_ = all.steps_;
  saves_ = all.saves_;
  rows_.steps.clear();
  rows_.save.clear();
  times_.clear();
  lengths_.clear();
  input_numbers_ = all.input_numbers_;
  inputs_.clear();
  for (const std::size_t row : rows) append_row(inputs_, all.inputs_, row, input_numbers_);
  if (all.lengths_.empty()) return;
  for (const std::size_t row : rows) {
    append_row(rows_.steps, all.rows_.steps, row, steps_);
    append_row(rows_.save, all.rows_.save, row, saves_);
    append_row(times_, all.times_, row, saves_);
    lengths_.push_back(all.lengths_[row]);
  }
}

void RowGrids::put(ObservationBlock& block, std::size_t begin, std::size_t count) const {
  block.inputs = std::span(inputs_).subspan(begin * input_numbers_, count * input_numbers_);
  if (lengths_.empty()) return;
  block.grid = std::span(rows_.steps).subspan(begin * steps_, count * steps_);
  block.save = std::span(rows_.save).subspan(begin * saves_, count * saves_);
  block.times = std::span(times_).subspan(begin * saves_, count * saves_);
  block.lengths = std::span(lengths_).subspan(begin, count);
}

DatasetRows::DatasetRows(const LatentModel& latent, const Dataset& data)
    : data_(data),
      constants_(row_constants(ObservationModel(latent.likelihood), data.values,
                               data.times * data.dimension)),
      grids_(latent.model, data) {}

ObservationBlock DatasetRows::block(std::size_t begin, std::size_t count, std::size_t samples,
                                    std::uint64_t seed) const {
  const std::size_t numbers = data_.times * data_.dimension;
  ObservationBlock block{.y = std::span(data_.values).subspan(begin * numbers, count * numbers),
                         .constants = std::span(constants_).subspan(begin, count),
                         .seed = seed,
                         .first_path = begin * samples};
  grids_.put(block, begin, count);
  return block;
}

}  // namespace ito
