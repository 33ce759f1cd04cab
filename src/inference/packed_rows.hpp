#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ito {

/// The slots of series of different lengths, packed as a recurrence takes them, from the end: first
/// the last slots of all rows, then those before them, and so on, the longest rows first (PyTorch
/// calls it a packed sequence). So the rows that go on from one step to the next are the first of
/// the step's, and there is no padding: a row's neighbours and the gradient's sums do not depend on
/// it.
class PackedRows {
 public:
  /// `lengths` [R]: the slots of each row.
  void pack(std::span<const int> lengths);

  std::size_t entries() const { return begin_.back(); }    ///< N, the sum of lengths
  std::size_t steps() const { return begin_.size() - 1; }  ///< the greatest length
  std::size_t begin(std::size_t step) const { return begin_[step]; }
  std::size_t count(std::size_t step) const { return begin_[step + 1] - begin_[step]; }

  std::size_t rows() const { return order_.size(); }
  /// Of the row of that rank, from the longest to the shortest.
  std::size_t row(std::size_t rank) const { return order_[rank]; }
  std::size_t length(std::size_t rank) const { return lengths_[rank]; }
  /// Where the row's slot `step` places before its last is packed.
  std::size_t entry(std::size_t rank, std::size_t step) const { return begin_[step] + rank; }

  /// use(entry, row, slot) for every slot.
  template <class Use>
  void for_each(const Use& use) const {
    for (std::size_t rank = 0; rank < rows(); ++rank)
      for (std::size_t step = 0; step < length(rank); ++step)
        use(entry(rank, step), row(rank), length(rank) - 1 - step);
  }

 private:
  std::vector<std::size_t> order_, lengths_;  ///< [R], by rank
  std::vector<std::size_t> begin_{0};         ///< [steps + 1]
};

}  // namespace ito
