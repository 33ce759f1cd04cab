#pragma once

#include <cstdint>
#include <vector>

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// Who touches a word: one lane of a warp, or the warp as a whole (the matrix moves, where a lane
/// brings the address and others the data, and asynchronous products).
struct Accessor {
  static constexpr std::uint8_t whole_warp = 32;
  std::uint8_t warp = 0;
  std::uint8_t lane = 0;
};

/// Up to when what each warp did is there for the products that a warp starts: done, followed by a
/// proxy_fence, and both ordered before.
struct ProxyView {
  std::uint32_t before[32] = {};
};

/// Remembers, for every word of a block's shared memory, the last write and the reads since the
/// last barrier, and so finds two accesses by different threads, one of them a write, with no
/// barrier between them, whatever order they ran in; and reads of what was never written. Time is
/// counted in barriers; of every warp is known up to when its accesses are ordered before what each
/// other warp does now (vector clocks, as in FastTrack, Flanagan and Freund 2009). A word that is
/// accessed by halves is watched by halves.
class SharedShadow {
 public:
  /// All words unwritten, for a block of `warps` warps.
  void reset(unsigned bytes, unsigned warps);
  void pass_warp_barrier(unsigned warp) { seen_[warp][warp] = ++now_; }
  void pass_block_barrier();
  /// `warps`: one bit a warp.
  void pass_named_barrier(std::uint32_t warps);
  void pass_proxy_fence(unsigned warp);
  const ProxyView& proxy_view(unsigned warp) const { return proxy_[warp]; }

  /// End the launch with a fault where there is one.
  void read(unsigned offset, unsigned bytes, Accessor who, Site site);
  void write(unsigned offset, unsigned bytes, Accessor who, Site site);
  /// By a product of `warp` that was started with `view` and ends now.
  void read_by_product(unsigned offset, unsigned bytes, unsigned warp, const ProxyView& view,
                       Site site);

 private:
  static constexpr std::uint32_t one_reader = 0xFFFFFFFFu;

  struct Access {
    std::uint32_t when = 0;  ///< 0 for never
    std::uint8_t lane = 0;
    Site site{};
  };
  struct Cell {
    std::uint32_t written = 0;  ///< when, 0 for never
    std::uint32_t read = 0;     ///< the last
    Accessor writer;
    Accessor reader;
    bool many_readers = false;           ///< of several warps, each then in `reads_`
    std::uint32_t readers = one_reader;  ///< the first of this cell's places in `reads_`
    Site write_site{};
    Site read_site{};
  };

  template <class Visit>
  void visit(unsigned offset, unsigned bytes, const Visit& visit_cell);
  bool ordered(std::uint32_t when, Accessor earlier, Accessor now) const;
  void note_read(Cell& cell, Accessor who, Site site);
  void note_one_of_many(Cell& cell, Accessor who, Site site);
  void share_proxy_views(std::uint32_t warps);

  std::vector<Cell> words_;
  std::vector<Cell> halves_;  ///< two a word, in use where `split_`
  std::vector<bool> split_;
  std::vector<Access> reads_;  ///< one a warp for each cell that had many readers
  unsigned warps_ = 0;
  std::uint32_t now_ = 1;
  std::uint32_t block_barrier_ = 1;
  /// What other warps did before seen_[warp][other] is ordered before what `warp` does now.
  std::uint32_t seen_[32][32] = {};
  ProxyView proxy_[32];
};

}  // namespace ito::cuda::simt
