#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <ito/error.hpp>

#include "model/check.hpp"

namespace ito {

/// Hands out aligned arrays from one block of bytes; over a null block it only counts them.
class Arena {
 public:
  explicit Arena(std::byte* base) : base_(base) {}

  template <class T>
  T* take(std::size_t count) {
    const std::size_t begin = used_;
    used_ += (count * sizeof(T) + alignment - 1) / alignment * alignment;
    return base_ ? reinterpret_cast<T*>(base_ + begin) : nullptr;
  }
  /// Bytes taken, with room to align an arbitrary block.
  std::size_t bytes() const { return used_ + alignment; }

  static constexpr std::size_t alignment = 64;

  static std::byte* align(std::span<std::byte> block, std::size_t to = alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(block.data());
    return block.data() + (to - address % to) % to;
  }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

/// How a call's paths are cut. Tiles are aligned to global path indices; chunks are runs of tiles
/// whose sums are made in order by one thread and added in order after, so that sums do not depend
/// on the number of threads. Neither does the number of chunks.
struct Partition {
  std::uint64_t first_tile = 0;
  std::uint64_t tiles = 0;
  std::uint64_t chunks = 0;
  std::uint64_t most_tiles = 0;  ///< that as many paths can touch, wherever the first lies

  Partition(std::uint64_t first_path, std::uint64_t paths, std::uint64_t tile_size,
            std::size_t parameters)
      : Partition((first_path + paths + tile_size - 1) / tile_size - first_path / tile_size,
                  parameters) {
    first_tile = first_path / tile_size;
    most_tiles = most(paths, tile_size);
  }
  /// The cut of `paths` into the most tiles.
  static Partition largest(std::uint64_t paths, std::uint64_t tile_size, std::size_t parameters) {
    Partition cut(most(paths, tile_size), parameters);
    cut.most_tiles = cut.tiles;
    return cut;
  }
  /// First tile, counted from 0, of a chunk.
  std::uint64_t chunk_begin(std::uint64_t chunk) const { return tiles * chunk / chunks; }

 private:
  static std::uint64_t most(std::uint64_t paths, std::uint64_t tile_size) {
    return (paths + 2 * tile_size - 2) / tile_size;
  }
  Partition(std::uint64_t tile_count, std::size_t parameters) : tiles(tile_count) {
    constexpr std::size_t budget = std::size_t{32} << 20;  // bytes of double sums
    const std::size_t fit = budget / (sizeof(double) * (parameters + 1));
    chunks = std::min<std::uint64_t>(tiles, std::clamp<std::size_t>(fit, 4, 64));
  }
};

/// What a run keeps of its states: nothing; as few as a gradient can do with; or all, where that
/// fits the limit, and else as few.
enum class Keep { nothing, least, most };

/// The size of one tile's states: of what a step back needs of them, and of what a run needs to go
/// on from them to the same bits, which is more by what rounding has added to them.
struct ChainSize {
  std::size_t stored, whole;
};

/// Every how many steps the forward run stores the states. 1 stores all; otherwise each segment
/// between two stored states is recomputed into a buffer of its thread. 0 stores the last alone, or
/// nothing.
struct Tape {
  std::uint64_t stride = 1;
  std::uint64_t checkpoints = 0;  ///< a tile
  std::uint64_t segment = 0;      ///< states in a thread's buffer, `stored` each

  /// What the tape holds of a chain: the whole where a run goes on from it.
  std::size_t entry(const ChainSize& chain) const {
    return stride == 1 ? chain.stored : chain.whole;
  }

  /// That of a run whose gradient is not asked for.
  static Tape none() { return {0, 0, 0}; }
  /// That of a gradient that starts from the last state and recovers the rest, or needs none.
  static Tape of_last_state() { return {0, 1, 0}; }

  /// `tiles`: Partition::most_tiles, so that the stride, and with it the layout, is the one that
  /// `workspace_bytes` told. `chain` in bytes. Where not everything is stored it is the stride that
  /// needs least memory, since every stride above 1 costs the same one extra forward run; so the
  /// least for fewer tiles is never more. Where the limit allows it, and no less is asked for, the
  /// stride is shorter: the segments of all threads then take no more than `cache` bytes.
  static Tape choose(std::uint64_t tiles, int steps, const ChainSize& chain, int threads,
                     std::size_t limit, Keep keep, std::size_t cache = array_limit) {
    const auto total = static_cast<std::uint64_t>(steps);
    const auto workers = static_cast<std::uint64_t>(threads);
    // Past what an array can have they are all alike: too many.
    const auto size = [](std::uint64_t states, std::size_t each) {
      return product_of({states, each}).value_or(array_limit);
    };
    const auto bytes = [&](const Tape& tape) {
      return size(tiles * tape.checkpoints, tape.entry(chain)) +
             size(workers * tape.segment, chain.stored);
    };
    limit = std::min(limit, array_limit - 1);
    const Tape all = with_stride(1, total);
    if (keep == Keep::most && bytes(all) <= limit) return all;
    Tape least = all;
    for (std::uint64_t c = 1; c < total && size(tiles * c, chain.whole) < bytes(least); ++c) {
      const Tape tape = with_stride((total + c - 1) / c, total);
      if (bytes(tape) < bytes(least)) least = tape;
    }
    if (bytes(least) > limit) {
      throw Error("workspace_limit", std::to_string(limit) + " bytes",
                  "at least " + std::to_string(bytes(least)) +
                      " bytes for these paths, or fewer paths a call");
    }
    const std::uint64_t longest = cache / std::max<std::uint64_t>(1, size(workers, chain.stored));
    if (keep == Keep::least || longest < 2 || least.segment <= longest) return least;
    const std::uint64_t checkpoints = (total + longest - 1) / longest;
    const Tape cached = with_stride((total + checkpoints - 1) / checkpoints, total);
    return bytes(cached) <= limit ? cached : least;
  }

 private:
  static Tape with_stride(std::uint64_t stride, std::uint64_t steps) {
    return {stride, (steps + stride - 1) / stride, stride > 1 ? stride : 0};
  }
};

/// The layout that a call finds in a caller's memory: as much kept as it holds. So a workspace for
/// many paths, which may keep few states of each, serves fewer paths as well.
template <class LayOut>
auto lay_out_in(std::span<std::byte> workspace, Keep keep, const LayOut& lay_out) {
  if (keep == Keep::most && lay_out(nullptr, keep).bytes > workspace.size()) keep = Keep::least;
  return lay_out(Arena::align(workspace), keep);
}

}  // namespace ito
