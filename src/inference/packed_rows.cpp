#include "inference/packed_rows.hpp"

#include <algorithm>
#include <numeric>

namespace ito {

void PackedRows::pack(std::span<const int> lengths) {
  order_.resize(lengths.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
    return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b;
  });
  lengths_.resize(lengths.size());
  std::ranges::transform(order_, lengths_.begin(),
                         [&](std::size_t row) { return static_cast<std::size_t>(lengths[row]); });
  const std::size_t steps = lengths_.empty() ? 0 : lengths_.front();
  begin_.assign(1, 0);
  for (std::size_t step = 0, alive = lengths_.size(); step < steps; ++step) {
    while (lengths_[alive - 1] <= step) --alive;
    begin_.push_back(begin_.back() + alive);
  }
}

}  // namespace ito
