// wgmma, a warp at a time: its 16 rows of the product depend on no other warp. Sums are in float,
// in the order of k, or backwards where the launch says so.
#include "simt/products.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "kernels/device/wgmma.cuh"
#include "simt/scheduler.hpp"

namespace ito::cuda::simt {
namespace {

constexpr int depth = 16;

/// D of products under way: what is in it so far, and NaNs in the registers until a wait names
/// them.
struct Accumulators {
  unsigned columns;
  std::array<float*, 32> registers;  ///< of every lane
  std::array<std::vector<float>, 32> values;
  unsigned poison;         ///< the bits of that NaN
  unsigned products = 0;   ///< that have not ended
  unsigned delivered = 0;  ///< one bit a lane
  Site site;
};

struct Product {
  WgmmaForm form;
  Site site;
  std::array<const unsigned*, 32> a_registers;
  std::array<std::array<unsigned, 4>, 32> a;
  unsigned poison;  ///< names the Accumulators
  ProxyView view;
};

/// Registers of a lane that a fence has named, as they were then.
struct Fenced {
  const unsigned char* begin;
  std::vector<unsigned char> copy;

  bool overlaps(const void* other, std::size_t bytes) const {
    const auto* start = static_cast<const unsigned char*>(other);
    return start < begin + copy.size() && begin < start + bytes;
  }
};

struct WarpProducts {
  std::vector<Accumulators> accumulators;
  std::vector<Product> open;
  std::deque<std::vector<Product>> groups;
  std::array<std::vector<Fenced>, 32> fenced;
};

std::vector<WarpProducts> warps;
unsigned next_poison = 0;
bool sums_from_last = false;

WarpProducts& this_warp() { return warps[position.thread / 32]; }
unsigned this_lane() { return position.thread % 32; }

bool is_whole(const Accumulators& d, unsigned lane) {
  return std::all_of(d.registers[lane], d.registers[lane] + d.columns / 2, [&](const float& value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits == d.poison;
  });
}

void check_whole(const Accumulators& d, unsigned lane, Site site) {
  if (!is_whole(d, lane)) {
    fail(site, fmt::format("accumulators of the wgmma at {} are written, or out of scope, before a "
                           "wgmma_wait has named them",
                           place(d.site)));
  }
}

/// The accumulators of this lane in these registers, or null.
Accumulators* find(WarpProducts& warp, unsigned lane, const float* registers) {
  for (Accumulators& d : warp.accumulators) {
    if (d.registers[lane] == registers && !(d.delivered >> lane & 1)) return &d;
  }
  return nullptr;
}

void check_fenced(const void* registers, std::size_t bytes, const char* what, Site site) {
  for (const Fenced& fenced : this_warp().fenced[this_lane()]) {
    if (!fenced.overlaps(registers, bytes)) continue;
    const auto* begin = static_cast<const unsigned char*>(registers);
    if (begin < fenced.begin || begin + bytes > fenced.begin + fenced.copy.size()) break;
    if (std::memcmp(begin, &fenced.copy[static_cast<std::size_t>(begin - fenced.begin)], bytes) !=
        0)
      fail(site, fmt::format("{} of a wgmma has changed since its wgmma_fence", what));
    return;
  }
  fail(site, fmt::format("{} of a wgmma is not named in a wgmma_fence before it", what));
}

// ------------------------------------------------------------------------- operands in shared
// memory

/// A matrix that a descriptor says: x is the row of A or the column of B.
struct Operand {
  unsigned start, leading, stride;
  bool swizzled, transposed;

  Operand(unsigned long long bits, bool is_transposed)
      : start(static_cast<unsigned>(bits & 0x3FFF) << 4),
        leading(static_cast<unsigned>(bits >> 16 & 0x3FFF) << 4),
        stride(static_cast<unsigned>(bits >> 32 & 0x3FFF) << 4),
        swizzled(bits >> 62 != 0),
        transposed(is_transposed) {}

  /// The byte of the eight elements from (x, k) on, along x where transposed, else along k.
  unsigned eight(unsigned x, unsigned k) const {
    if (!swizzled) {
      return start + x / 8 * stride + k / 8 * leading + (transposed ? k % 8 : x % 8) * 16;
    }
    const unsigned at =
        start + (transposed ? x / 64 * leading + k / 8 * stride + k % 8 * 128 + x % 64 * 2
                            : x / 8 * stride + x % 8 * 128 + k * 2);
    return at ^ (at >> 7 & 7) << 4;
  }
};

/// Calls set(x, k, element) for every x below `end`.
template <class Set>
void load(const Operand& operand, unsigned end, const Product& product, const Set& set) {
  const unsigned warp = position.thread / 32;
  const auto eight = [&](unsigned x, unsigned k) {
    const unsigned at = operand.eight(x, k);
    checked_offset(false, at, 0, 16, 16, product.site);
    note_product_read(at, warp, product.view, product.site);
    unsigned short elements[8];
    std::memcpy(elements, shared_window.base + at, sizeof elements);
    for (unsigned i = 0; i < 8; ++i) {
      const float value = f16_value(elements[i]);
      if (operand.transposed) {
        set(x + i, k, value);
      } else {
        set(x, k + i, value);
      }
    }
  };
  for (unsigned x = 0; x < end; x += operand.transposed ? 8 : 1) {
    for (unsigned k = 0; k < depth; k += operand.transposed ? 1 : 8) eight(x, k);
  }
}

// ------------------------------------------------------------------------------------- the product

/// The running warp's rows of a product that ends.
void finish(const Product& product) {
  WarpProducts& warp = this_warp();
  const WgmmaForm& form = product.form;
  Accumulators& d = *std::find_if(warp.accumulators.begin(), warp.accumulators.end(),
                                  [&](auto& one) { return one.poison == product.poison; });
  float all_of_a[64][depth], a[16][depth], b[depth][128];
  if (form.a_in_registers) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (std::memcmp(product.a_registers[lane], product.a[lane].data(), 16) != 0) {
        fail(product.site, "A of a wgmma has changed, or is out of scope, before its wgmma_wait");
      }
      const unsigned g = lane / 4, q = lane % 4;
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned pair = product.a[lane][i], row = g + 8 * (i % 2), k = 2 * q + 8 * (i / 2);
        a[row][k] = f16_value(pair & 0xFFFFu);
        a[row][k + 1] = f16_value(pair >> 16);
      }
    }
  } else {
    // All of it, since nothing says which warp reads which rows.
    load(Operand(form.a, form.a_transposed), 64, product,
         [&](unsigned x, unsigned k, float value) { all_of_a[x][k] = value; });
    std::memcpy(a, all_of_a[16 * (position.thread / 32 % 4)], sizeof a);
  }
  load(Operand(form.b, form.b_transposed), form.columns, product,
       [&](unsigned x, unsigned k, float value) { b[k][x] = value; });

  float sums[16][128] = {};
  const auto each = [&](const auto& visit) {  // visit(a register's value, the sum it belongs to)
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < form.columns / 2; ++i)
        visit(d.values[lane][i],
              sums[lane / 4 + 8 * (i % 4 / 2)][i / 4 * 8 + lane % 4 * 2 + i % 2]);
    }
  };
  if (form.add) each([](float& value, float& sum) { sum = value; });
  for (int row = 0; row < 16; ++row) {
    for (int i = 0; i < depth; ++i) {
      const int k = sums_from_last ? depth - 1 - i : i;
      for (unsigned n = 0; n < form.columns; ++n) sums[row][n] += a[row][k] * b[k][n];
    }
  }
  each([](float& value, float& sum) { value = sum; });
  for (unsigned lane = 0; lane < 32; ++lane) check_whole(d, lane, product.site);
  --d.products;
}

bool same(const WgmmaForm& a, const WgmmaForm& b) {
  return a.columns == b.columns && a.add == b.add && a.a == b.a && a.b == b.b;
}

/// Products of four warps begin.
void begin(const WarpgroupOperands& group, Site site) {
  const unsigned first = position.thread / 128 * 4;
  const auto& form = *static_cast<const WgmmaForm*>(group[0][0].b);
  for (unsigned w = 0; w < 4; ++w) {
    WarpProducts& warp = warps[first + w];
    Product product{form, site, {}, {}, 0, proxy_view(first + w)};
    Accumulators* d = find(warp, 0, static_cast<float*>(group[w][0].result));
    if (d == nullptr) {
      d = &warp.accumulators.emplace_back();
      d->columns = form.columns;
      d->site = site;
      d->poison = 0x7FC00000u | (++next_poison & 0x3FFFFFu);
      for (unsigned lane = 0; lane < 32; ++lane) {
        auto* registers = static_cast<float*>(group[w][lane].result);
        d->registers[lane] = registers;
        d->values[lane].assign(registers, registers + form.columns / 2);
        for (unsigned i = 0; i < form.columns / 2; ++i)
          std::memcpy(registers + i, &d->poison, sizeof d->poison);
      }
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      const Operands& operands = group[w][lane];
      if (!same(*static_cast<const WgmmaForm*>(operands.b), form))
        fail(site, "the descriptors of a wgmma differ within its warpgroup");
      if (d->registers[lane] != operands.result || d->columns != form.columns)
        fail(site, "accumulators of a wgmma under way are used by one of another shape");
      if (form.a_in_registers) {
        product.a_registers[lane] = static_cast<const unsigned*>(operands.a);
        std::memcpy(product.a[lane].data(), operands.a, 16);
      }
    }
    product.poison = d->poison;
    ++d->products;
    warp.open.push_back(product);
  }
}

}  // namespace

void forget_products(unsigned count, bool from_last) {
  warps.assign(count, {});
  sums_from_last = from_last;
}

void check_products_are_done() {
  const WarpProducts& warp = this_warp();
  for (const Accumulators& d : warp.accumulators) {
    if (!(d.delivered >> this_lane() & 1)) {
      fail(d.site, "returns before a wgmma_wait has named the accumulators of this wgmma");
    }
  }
}

unsigned long long descriptor(unsigned offset, unsigned leading, unsigned stride, bool swizzled,
                              Site site) {
  if (offset % 16 != 0 || leading % 16 != 0 || stride % 16 != 0 || leading >= 1u << 18 ||
      stride >= 1u << 18) {
    fail(site,
         fmt::format("describes a matrix at byte {} with strides {} and {}; takes multiples of "
                     "16, strides below 262144",
                     offset, leading, stride));
  }
  return MatrixDescriptor::of(offset, leading, stride, swizzled ? 1 : 0).bits;
}

void proxy_fence(Site site) {
  meet(
      "proxy_fence", {}, [](const Operands(&)[32]) { pass_proxy_fence(); }, site);
}

void wgmma_fence(const RegisterRange (&registers)[4], Site site) {
  WarpProducts& warp = this_warp();
  std::vector<Fenced>& fenced = warp.fenced[this_lane()];
  for (const RegisterRange& range : registers) {
    const auto* begin = static_cast<const unsigned char*>(range.begin);
    if (begin == nullptr) continue;
    const Fenced now{begin, {begin, begin + range.bytes}};
    for (const Accumulators& d : warp.accumulators) {
      if (!(d.delivered >> this_lane() & 1) &&
          now.overlaps(d.registers[this_lane()], d.columns * 2)) {
        fail(site, fmt::format("names accumulators that the wgmma at {} writes", place(d.site)));
      }
    }
    std::erase_if(fenced, [&](const Fenced& one) { return one.overlaps(begin, range.bytes); });
    fenced.push_back(now);
  }
  meet(
      "wgmma_fence", {}, [](const Operands(&)[32]) {}, site);
}

void wgmma(Operands operands, Site site) {
  const auto& form = *static_cast<const WgmmaForm*>(operands.b);
  const auto* registers = static_cast<const float*>(operands.result);
  if (const Accumulators* d = find(this_warp(), this_lane(), registers)) {
    check_whole(*d, this_lane(), site);
  } else {
    check_fenced(registers, form.columns * 2, "D", site);
  }
  if (form.a_in_registers) check_fenced(operands.a, 16, "A", site);
  meet_warpgroup("wgmma", operands, begin, site);
}

void wgmma_commit(Site site) {
  meet(
      "wgmma_commit", {},
      [](const Operands(&)[32]) {
        WarpProducts& warp = this_warp();
        warp.groups.push_back(std::exchange(warp.open, {}));
      },
      site);
}

void wgmma_wait(unsigned pending, const RegisterRange (&registers)[4], Site site) {
  meet(
      "wgmma_wait", {nullptr, nullptr, nullptr, pending},
      [](const Operands(&lanes)[32]) {
        WarpProducts& warp = this_warp();
        for (; warp.groups.size() > lanes[0].selector; warp.groups.pop_front()) {
          for (const Product& product : warp.groups.front()) finish(product);
        }
      },
      site);
  WarpProducts& warp = this_warp();
  const unsigned lane = this_lane();
  for (const RegisterRange& range : registers) {
    if (range.begin == nullptr) continue;
    const Fenced named{static_cast<const unsigned char*>(range.begin),
                       std::vector<unsigned char>(range.bytes)};
    bool found = false;
    for (Accumulators& d : warp.accumulators) {
      if (d.delivered >> lane & 1 || !named.overlaps(d.registers[lane], d.columns * 2)) continue;
      found = true;
      if (d.products != 0)
        fail(site,
             fmt::format("names accumulators that the wgmma at {} still writes", place(d.site)));
      check_whole(d, lane, site);
      std::copy(d.values[lane].begin(), d.values[lane].end(), d.registers[lane]);
      d.delivered |= 1u << lane;
      std::erase_if(warp.fenced[lane], [&](const Fenced& one) {
        return one.overlaps(d.registers[lane], d.columns * 2);
      });
    }
    if (!found) fail(site, "names registers that no wgmma has written");
  }
  std::erase_if(warp.accumulators,
                [](const Accumulators& d) { return d.delivered == 0xFFFFFFFFu; });
}

}  // namespace ito::cuda::simt
