#pragma once

#include <cstdint>
#include <vector>

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// Who touches a word: one lane of a warp, or the warp as a whole (the matrix moves, where a lane
/// brings the address and others the data).
struct Accessor {
  static constexpr std::uint8_t whole_warp = 32;
  std::uint8_t warp = 0;
  std::uint8_t lane = 0;
};

/// Remembers, for every word of a block's shared memory, the last write and the reads since the
/// last barrier, and so finds two accesses by different threads, one of them a write, with no
/// barrier between them, whatever order they ran in; and reads of what was never written. Time is
/// counted in barriers. A word that is accessed by halves is watched by halves.
class SharedShadow {
 public:
  /// All words unwritten.
  void reset(unsigned bytes);
  void pass_warp_barrier(unsigned warp) { warp_barrier_[warp] = ++now_; }
  void pass_block_barrier() { block_barrier_ = ++now_; }

  /// End the launch with a fault where there is one.
  void read(unsigned offset, unsigned bytes, Accessor who, Site site);
  void write(unsigned offset, unsigned bytes, Accessor who, Site site);

 private:
  struct Cell {
    std::uint32_t written = 0;  ///< when, 0 for never
    std::uint32_t read = 0;
    Accessor writer;
    Accessor reader;
    bool many_readers = false;  ///< of several warps; `reader` is then the first
    Site write_site{};
    Site read_site{};
  };

  template <class Visit>
  void visit(unsigned offset, unsigned bytes, const Visit& visit_cell);
  bool ordered(std::uint32_t when, Accessor earlier, Accessor now) const;

  std::vector<Cell> words_;
  std::vector<Cell> halves_;  ///< two a word, in use where `split_`
  std::vector<bool> split_;
  std::uint32_t now_ = 1;
  std::uint32_t block_barrier_ = 1;
  std::uint32_t warp_barrier_[32] = {};
};

}  // namespace ito::cuda::simt
