#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "cpu/tile_model.hpp"
#include "engine/call.hpp"
#include "engine/grid.hpp"

namespace ito::cpu {

/// The paths of a tile that follow one grid, and how far a run has come with them.
struct TileGrid {
  static constexpr int no_interval = -1;

  GridView<float> grid{};
  std::span<const std::uint8_t> lanes{};  ///< those that hold the paths
  /// Save steps passed; on the way back, those still to come.
  std::size_t passed = 0;
  /// Whose bias rows the lanes have.
  int interval = std::numeric_limits<int>::min();

  /// Where it ends.
  int end() const { return grid.steps; }
  /// The context row that rules on step k: none from the end on.
  int interval_at(int k) const { return k < end() ? grid.step[k].interval : no_interval; }
  /// Whether a context begins at step k.
  bool changes_at(int k) const {
    return k < end() && (k == 0 || grid.step[k].interval != grid.step[k - 1].interval);
  }
  /// Whether the next save step is at step k. At the end it is each that is left.
  bool saves_at(int k) const {
    return passed < grid.save.size() && (k == end() || grid.save[passed] == k);
  }
};

/// The grids of a tile's paths: one, or those of the observations that it holds paths of. Its loops
/// go on to the end of the longest; what a lane holds after its own end is nobody's.
class TileGrids {
 public:
  /// For the tile whose first path has the global index `begin`, in vectors of `width` lanes.
  TileGrids(const ModelShape& shape, const TileModel& model, const BasicRequest<float>& request,
            const ObservationMap& map, std::uint64_t begin, int width);
  TileGrids(const TileGrids&) = delete;
  TileGrids& operator=(const TileGrids&) = delete;

  std::span<TileGrid> all() { return {grids_, count_}; }
  std::span<const TileGrid> all() const { return {grids_, count_}; }
  /// The steps [K] of every lane, where there is one grid.
  const GridStep* common() const { return grids_[0].grid.step; }
  /// Those of each lane, [tile_paths], or null where there is one grid.
  const GridStep* const* by_lane() const { return count_ > 1 ? steps_ : nullptr; }
  int end() const { return end_; }

  /// Before a run from the start, or, with all save steps to come, back from the end.
  void restart(std::size_t passed = 0);
  /// The next step after k at which a run forward has to stop: a save, or the end of a grid.
  int next_stop(int k) const;
  /// The next step after k, up to `end`, at which the context changes.
  int next_change(int k, int end) const;
  /// The last step before k, from `begin`, at which a run back has to stop: a save, a new context
  /// or the end of a grid.
  int previous_stop(int k, int begin) const;

  /// At step k on the way forward: save(lanes, s) for each save step there, then finish(lanes) for
  /// each grid that ends there.
  template <class Save, class Finish>
  void pass(int k, Save save, Finish finish) {
    for (TileGrid& grid : all()) {
      if (k > grid.end()) continue;
      while (grid.saves_at(k)) save(grid.lanes, grid.passed++);
      if (k == grid.end()) finish(grid.lanes);
    }
  }

 private:
  void add(const GridView<float>& grid, int begin, int end);

  std::uint8_t lanes_[tile_paths];  ///< of the paths, in their order
  TileGrid grids_[tile_paths];
  std::size_t count_ = 0;
  int end_ = 0;
  const GridStep* steps_[tile_paths];
};

}  // namespace ito::cpu
