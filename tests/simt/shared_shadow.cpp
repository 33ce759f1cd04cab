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

}  // namespace

void SharedShadow::reset(unsigned bytes) {
  const std::size_t words = (bytes + 3) / 4;
  words_.assign(words, {});
  split_.assign(words, false);
  halves_.clear();
  now_ = block_barrier_ = 1;
  std::fill(std::begin(warp_barrier_), std::end(warp_barrier_), 1u);
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
  if (when < block_barrier_) return true;
  if (earlier.warp != now.warp) return false;
  if (when < warp_barrier_[now.warp]) return true;
  return earlier.lane == now.lane && now.lane != Accessor::whole_warp;
}

void SharedShadow::read(unsigned offset, unsigned bytes, Accessor who, Site site) {
  visit(offset, bytes, [&](Cell& cell, unsigned at) {
    if (cell.written == 0) {
      fail(site, fmt::format("reads shared memory at byte {}, which nothing has written", at));
    }
    if (!ordered(cell.written, cell.writer, who)) {
      race("reads", at, cell.writer, "wrote", cell.write_site, site);
    }
    if (cell.read < block_barrier_) {
      cell.reader = who;
      cell.many_readers = false;
    } else if (cell.reader.warp != who.warp) {
      cell.many_readers = true;
    } else if (cell.read < warp_barrier_[who.warp]) {
      cell.reader = who;
    } else if (cell.reader.lane != who.lane) {
      cell.reader.lane = Accessor::whole_warp;
    }
    cell.read = now_;
    cell.read_site = site;
  });
}

void SharedShadow::write(unsigned offset, unsigned bytes, Accessor who, Site site) {
  visit(offset, bytes, [&](Cell& cell, unsigned at) {
    if (cell.written != 0 && !ordered(cell.written, cell.writer, who)) {
      race("writes", at, cell.writer, "wrote", cell.write_site, site);
    }
    const bool read_by_others = cell.many_readers && cell.read >= block_barrier_;
    if (read_by_others || (cell.read != 0 && !ordered(cell.read, cell.reader, who))) {
      race("writes", at, cell.reader, "read", cell.read_site, site);
    }
    cell.written = now_;
    cell.writer = who;
    cell.write_site = site;
  });
}

}  // namespace ito::cuda::simt
