#include "simt/shared_shadow.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "simt/scheduler.hpp"

namespace ito::cuda::simt {
namespace {

std::string name(Accessor who) {
  return who.lane == Accessor::whole_warp ? fmt::format("warp {}", who.warp)
                                          : fmt::format("thread {}", 32 * who.warp + who.lane);
}

[[noreturn]] [[gnu::cold]] void race(const char* does, unsigned offset, Accessor other,
                                     const char* did, Site earlier, Site site) {
  fail(site,
       fmt::format("{} shared memory at byte {}, which {} {} ({}) with no barrier between them",
                   does, offset, name(other), did, place(earlier)));
}

[[noreturn]] [[gnu::cold]] void unwritten(unsigned offset, Site site) {
  fail(site, fmt::format("reads shared memory at byte {}, which nothing has written", offset));
}

}  // namespace

void SharedShadow::reset(unsigned bytes, unsigned warps) {
  const std::size_t words = (bytes + 3) / 4;
  words_.assign(words, {});
  split_.assign(words, false);
  halves_.clear();
  reads_.clear();
  warps_ = warps;
  now_ = block_barrier_ = 1;
  for (auto& of_warp : seen_) std::fill(std::begin(of_warp), std::end(of_warp), 1u);
  std::fill(std::begin(proxy_), std::end(proxy_), ProxyView{});
}

void SharedShadow::pass_block_barrier() {
  block_barrier_ = ++now_;
  share_proxy_views(0xFFFFFFFFu);
}

void SharedShadow::pass_proxy_fence(unsigned warp) {
  for (unsigned other = 0; other < warps_; ++other)
    proxy_[warp].before[other] = std::max(seen_[warp][other], block_barrier_);
  proxy_[warp].before[warp] = ++now_;
}

/// `warps` have met: each knows the fences of all.
void SharedShadow::share_proxy_views(std::uint32_t warps) {
  ProxyView latest;
  for (unsigned w = 0; w < warps_; ++w) {
    if (!(warps >> w & 1)) continue;
    for (unsigned other = 0; other < warps_; ++other)
      latest.before[other] = std::max(latest.before[other], proxy_[w].before[other]);
  }
  for (unsigned w = 0; w < warps_; ++w) {
    if (warps >> w & 1) proxy_[w] = latest;
  }
}

void SharedShadow::pass_named_barrier(std::uint32_t warps) {
  std::uint32_t latest[32] = {};
  for (unsigned w = 0; w < warps_; ++w) {
    if (!(warps >> w & 1)) continue;
    for (unsigned other = 0; other < warps_; ++other)
      latest[other] = std::max(latest[other], seen_[w][other]);
  }
  ++now_;
  for (unsigned w = 0; w < warps_; ++w) {
    if (warps >> w & 1) latest[w] = now_;
  }
  for (unsigned w = 0; w < warps_; ++w) {
    if (warps >> w & 1) std::copy(std::begin(latest), std::end(latest), seen_[w]);
  }
  share_proxy_views(warps);
}

/// Calls visit_cell(cell, offset) on the cells that cover the bytes.
template <class Visit>
void SharedShadow::visit(unsigned offset, unsigned bytes, const Visit& visit_cell) {
  for (unsigned at = offset; at < offset + bytes; at = (at / 4 + 1) * 4) {
    const unsigned word = at / 4;
    const unsigned first = at % 4 / 2, last = (std::min(offset + bytes, 4 * word + 4) - 1) % 4 / 2;
    if (first == 0 && last == 1 && !split_[word]) {
      visit_cell(words_[word], 4 * word);
      continue;
    }
    if (!split_[word]) {
      if (halves_.empty()) halves_.resize(2 * words_.size());
      split_[word] = true;
      halves_[2 * word] = halves_[2 * word + 1] = words_[word];
    }
    for (unsigned half = first; half <= last; ++half) {
      visit_cell(halves_[2 * word + half], 4 * word + 2 * half);
    }
  }
}

inline bool SharedShadow::ordered(std::uint32_t when, Accessor earlier, Accessor now) const {
  if (when < block_barrier_ || when < seen_[now.warp][earlier.warp]) return true;
  return earlier.warp == now.warp && earlier.lane == now.lane && now.lane != Accessor::whole_warp;
}

void SharedShadow::note_one_of_many(Cell& cell, Accessor who, Site site) {
  if (!cell.many_readers) {
    if (cell.readers == one_reader) {
      cell.readers = static_cast<std::uint32_t>(reads_.size());
      reads_.resize(reads_.size() + warps_);
    } else {
      std::fill_n(reads_.begin() + cell.readers, warps_, Access{});
    }
    reads_[cell.readers + cell.reader.warp] = {cell.read, cell.reader.lane, cell.read_site};
    cell.many_readers = true;
  }
  Access& mine = reads_[cell.readers + who.warp];
  const bool other_lane = mine.lane != who.lane && !ordered(mine.when, {who.warp, mine.lane}, who);
  mine = {now_, other_lane ? Accessor::whole_warp : who.lane, site};
}

inline void SharedShadow::note_read(Cell& cell, Accessor who, Site site) {
  if (cell.read < block_barrier_) {
    cell.reader = who;
    cell.many_readers = false;
  } else if (cell.many_readers ||
             (cell.reader.warp != who.warp && !ordered(cell.read, cell.reader, who))) {
    note_one_of_many(cell, who, site);
  } else if (ordered(cell.read, cell.reader, who)) {
    cell.reader = who;
  } else {
    cell.reader.lane = Accessor::whole_warp;
  }
  cell.read = now_;
  cell.read_site = site;
}

void SharedShadow::read(unsigned offset, unsigned bytes, Accessor who, Site site) {
  visit(offset, bytes, [&](Cell& cell, unsigned at) {
    if (cell.written == 0) unwritten(at, site);
    if (!ordered(cell.written, cell.writer, who)) {
      race("reads", at, cell.writer, "wrote", cell.write_site, site);
    }
    note_read(cell, who, site);
  });
}

void SharedShadow::read_by_product(unsigned offset, unsigned bytes, unsigned warp,
                                   const ProxyView& view, Site site) {
  visit(offset, bytes, [&](Cell& cell, unsigned at) {
    if (cell.written == 0) unwritten(at, site);
    if (cell.written >= view.before[cell.writer.warp]) {
      fail(site, fmt::format("wgmma reads shared memory at byte {}, which {} wrote ({}) with no "
                             "proxy_fence and barrier between them",
                             at, name(cell.writer), place(cell.write_site)));
    }
    note_read(cell, {static_cast<std::uint8_t>(warp), Accessor::whole_warp}, site);
  });
}

void SharedShadow::write(unsigned offset, unsigned bytes, Accessor who, Site site) {
  visit(offset, bytes, [&](Cell& cell, unsigned at) {
    if (cell.written != 0 && !ordered(cell.written, cell.writer, who)) {
      race("writes", at, cell.writer, "wrote", cell.write_site, site);
    }
    if (cell.many_readers && cell.read >= block_barrier_) {
      for (unsigned w = 0; w < warps_; ++w) {
        const Access& read = reads_[cell.readers + w];
        const Accessor reader{static_cast<std::uint8_t>(w), read.lane};
        if (read.when != 0 && !ordered(read.when, reader, who)) {
          race("writes", at, reader, "read", read.site, site);
        }
      }
    } else if (cell.read != 0 && !ordered(cell.read, cell.reader, who)) {
      race("writes", at, cell.reader, "read", cell.read_site, site);
    }
    cell.written = now_;
    cell.writer = who;
    cell.write_site = site;
  });
}

}  // namespace ito::cuda::simt
