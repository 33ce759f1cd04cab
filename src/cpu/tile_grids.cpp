#include "cpu/tile_grids.hpp"

#include <algorithm>

#include "cpu/kernels.hpp"

namespace ito::cpu {

TileGrids::TileGrids(const ModelShape& shape, const TileModel& model,
                     const BasicRequest<float>& request, const ObservationMap& map,
                     std::uint64_t begin, int width) {
  for (int lane = 0; lane < tile_paths; ++lane) {
    lanes_[path_of_lane(width, lane / width, lane % width)] = static_cast<std::uint8_t>(lane);
  }
  if (request.grid.empty()) {
    add({model.grid.data(), shape.save, shape.steps}, 0, tile_paths);
    return;
  }
  const auto row = [&](int path) { return map.row(begin + static_cast<std::uint64_t>(path)); };
  for (int path = 0, end = 0; path < tile_paths; path = end) {
    while (end < tile_paths && row(end) == row(path)) ++end;
    add(grid_of(shape, request, row(path)), path, end);
  }
}

/// That of the paths begin … end − 1 of the tile.
void TileGrids::add(const GridView<float>& grid, int begin, int end) {
  TileGrid& added = grids_[count_++];
  added.grid = grid;
  added.lanes = std::span(lanes_).subspan(static_cast<std::size_t>(begin),
                                          static_cast<std::size_t>(end - begin));
  for (const std::uint8_t lane : added.lanes) steps_[lane] = grid.step;
  end_ = std::max(end_, grid.steps);
}

void TileGrids::restart(std::size_t passed) {
  for (TileGrid& grid : all()) {
    grid.passed = passed;
    grid.interval = TileGrid{}.interval;
  }
}

int TileGrids::next_stop(int k) const {
  int stop = end_;
  for (const TileGrid& grid : all()) {
    if (k >= grid.end()) continue;
    stop = std::min(stop, grid.end());
    const auto save = std::ranges::upper_bound(grid.grid.save, k);
    if (save != grid.grid.save.end()) stop = std::min(stop, *save);
  }
  return stop;
}

int TileGrids::next_change(int k, int end) const {
  for (const TileGrid& grid : all()) {
    if (k >= grid.end()) continue;
    const std::span left(grid.grid.step + k, static_cast<std::size_t>(grid.end() - k));
    const auto change =
        std::ranges::upper_bound(left, left.front().interval, {}, &GridStep::interval);
    if (change != left.end()) end = std::min(end, k + static_cast<int>(change - left.begin()));
  }
  return end;
}

int TileGrids::previous_stop(int k, int begin) const {
  for (const TileGrid& grid : all()) {
    if (grid.end() < k) {
      begin = std::max(begin, grid.end());
      continue;
    }
    const auto save = std::ranges::lower_bound(grid.grid.save, k);
    if (save != grid.grid.save.begin()) begin = std::max(begin, *(save - 1));
    const std::span before(grid.grid.step, static_cast<std::size_t>(k));
    const auto change =
        std::ranges::lower_bound(before, before.back().interval, {}, &GridStep::interval);
    begin = std::max(begin, static_cast<int>(change - before.begin()));
  }
  return begin;
}

void load_lane_steps(const TileModel& model, const TileCall& call, int k) {
  for (int lane = 0; lane < tile_paths; ++lane) {
    const GridStep& step = call.lane_steps[lane][k];
    call.scratch[model.lane_time + static_cast<std::size_t>(lane)] = step.time;
    call.scratch[model.lane_h + static_cast<std::size_t>(lane)] = step.step;
    call.scratch[model.lane_root_h + static_cast<std::size_t>(lane)] = step.root_step;
  }
}

}  // namespace ito::cpu
