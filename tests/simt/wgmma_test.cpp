// Asynchronous products against plain ones, and the faults of their use, each beside the same
// kernel without it. Where elements lie is written here once more: in registers from the tables of
// the PTX ISA ("Register Fragments for wgmma"), in shared memory from CUTLASS's canonical layouts
// (cute/arch/mma_sm90_desc.hpp).
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/device/wgmma.cuh"
#include "refusal.hpp"
#include "simt/run.hpp"

namespace ito::cuda {
namespace {

constexpr unsigned depth = 64, rows = 64;

Shared<unsigned short> halves(unsigned byte) {
  return (shared_memory() + byte).as<unsigned short>();
}

enum class Cores { plain, plain_transposed, swizzled, swizzled_transposed };

/// An operand in shared memory from `begin` on: x is a row of A or a column of B.
struct Staged {
  Cores cores;
  unsigned begin, width;

  bool transposed() const {
    return cores == Cores::plain_transposed || cores == Cores::swizzled_transposed;
  }
  // Odd multiples of a core, so that the two strides cannot be mistaken for each other.
  unsigned k_stride() const { return 128 * (width / 8 + 1); }
  static constexpr unsigned x_stride = 128;

  unsigned byte_of(unsigned x, unsigned k) const {
    switch (cores) {
      case Cores::plain:
        return begin + k / 8 * k_stride() + x / 8 * x_stride + x % 8 * 16 + k % 8 * 2;
      case Cores::plain_transposed:
        return begin + k / 8 * k_stride() + x / 8 * x_stride + k % 8 * 16 + x % 8 * 2;
      case Cores::swizzled:  // rows of 64 k; the eight pieces of a row are exchanged
        return begin + x * 128 + ((k / 8) ^ (x % 8)) * 16 + k % 8 * 2;
      case Cores::swizzled_transposed:  // rows of 64 x
        return begin + x / 64 * 8192 + k * 128 + ((x % 64 / 8) ^ (k % 8)) * 16 + x % 8 * 2;
    }
    return 0;
  }
  MatrixDescriptor descriptor() const {
    switch (cores) {
      case Cores::plain:
      case Cores::plain_transposed:
        return matrix_descriptor(halves(begin), k_stride(), x_stride);
      case Cores::swizzled:
        return swizzled_descriptor(halves(begin), 1024);
      case Cores::swizzled_transposed:
        return swizzled_descriptor_transposed(halves(begin), 1024, 8192);
    }
    return {};
  }
  /// From 16 of k to the next 16.
  unsigned step() const {
    return cores == Cores::swizzled              ? 32
           : cores == Cores::swizzled_transposed ? 2048
                                                 : 2 * k_stride();
  }
};

struct Case {
  std::vector<unsigned short> a, b;  ///< [x, k]
  std::vector<float> c, d;           ///< [row, column]
  unsigned columns;

  explicit Case(unsigned n) : c(rows * n), d(rows * n), columns(n) {
    std::mt19937 generator(n);
    std::normal_distribution<float> normal;
    const auto half = [&] { return static_cast<unsigned short>(pack_f16(normal(generator), 0)); };
    for (unsigned i = 0; i < rows * depth; ++i) a.push_back(half());
    for (unsigned i = 0; i < n * depth; ++i) b.push_back(half());
    for (float& value : c) value = normal(generator);
  }

  static unsigned row(unsigned i) {
    return 16 * (warp_index() % 4) + lane_index() / 4 + (i % 4 < 2 ? 0 : 8);
  }
  static unsigned column(unsigned i) { return 8 * (i / 4) + 2 * (lane_index() % 4) + i % 2; }

  /// Registers of A that hold k from 16·step on.
  void load_a(unsigned (&registers)[4], unsigned step) const {
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned r = 16 * (warp_index() % 4) + lane_index() / 4 + 8 * (i % 2),
                     k = 16 * step + 2 * (lane_index() % 4) + 8 * (i / 2);
      registers[i] = a[r * depth + k] | static_cast<unsigned>(a[r * depth + k + 1]) << 16;
    }
  }
  void stage(const Staged& staged, const std::vector<unsigned short>& matrix) const {
    for (unsigned i = thread_index(); i < staged.width * depth; i += block_size())
      halves(staged.byte_of(i / depth, i % depth)).store(0, matrix[i]);
  }
  void expect_product(bool add) const {
    for (unsigned r = 0; r < rows; ++r) {
      for (unsigned n = 0; n < columns; ++n) {
        double exact = add ? double{c[r * columns + n]} : 0, size = std::abs(exact);
        for (unsigned k = 0; k < depth; ++k) {
          const double term = double{f16_value(a[r * depth + k])} * f16_value(b[n * depth + k]);
          exact += term;
          size += std::abs(term);
        }
        // Each of the sums in float rounds by at most 2⁻²⁴ of what is summed.
        ASSERT_NEAR(d[r * columns + n], exact, (depth + 1) * 0x1p-24 * size)
            << "row " << r << ", column " << n << " of " << columns;
      }
    }
  }
};

template <unsigned kColumns, bool kTransposed>
void check_with_a_in_registers(Cores cores, bool add) {
  Case test(kColumns);
  run_kernel(1, 128, 32768, [&] {
    const Staged b{cores, 0, kColumns};
    test.stage(b, test.b);
    proxy_fence();
    block_barrier();
    float d[kColumns / 2];
    unsigned a[4][4];
    for (unsigned i = 0; i < kColumns / 2; ++i)
      d[i] = test.c[Case::row(i) * kColumns + Case::column(i)];
    for (unsigned step = 0; step < 4; ++step) test.load_a(a[step], step);
    wgmma_fence(d, a);
    for (unsigned step = 0; step < 4; ++step)
      wgmma_f16<kTransposed>(d, a[step], b.descriptor() + step * b.step(), add || step > 0);
    wgmma_commit();
    wgmma_wait<0>(d);
    for (unsigned i = 0; i < kColumns / 2; ++i)
      test.d[Case::row(i) * kColumns + Case::column(i)] = d[i];
  });
  test.expect_product(add);
}

template <unsigned kColumns, bool kTransposedA, bool kTransposedB>
void check_with_a_in_shared_memory(Cores cores_a, Cores cores_b) {
  Case test(kColumns);
  run_kernel(1, 256, 65536, [&] {  // the second warpgroup has the same product
    const Staged a{cores_a, 0, rows}, b{cores_b, 16384, kColumns};
    test.stage(a, test.a);
    test.stage(b, test.b);
    proxy_fence();
    block_barrier();
    float d[kColumns / 2];
    for (unsigned i = 0; i < kColumns / 2; ++i)
      d[i] = test.c[Case::row(i) * kColumns + Case::column(i)];
    wgmma_fence(d);
    for (unsigned step = 0; step < 4; ++step) {
      wgmma_f16<kTransposedA, kTransposedB>(d, a.descriptor() + step * a.step(),
                                            b.descriptor() + step * b.step(), true);
    }
    wgmma_commit();
    wgmma_wait<0>(d);
    for (unsigned i = 0; i < kColumns / 2; ++i)
      test.d[Case::row(i) * kColumns + Case::column(i)] = d[i];
  });
  test.expect_product(true);
}

template <unsigned... kEighths>
void for_all_columns(std::integer_sequence<unsigned, kEighths...>, const auto& check) {
  (check.template operator()<8 * (kEighths + 1)>(), ...);
}
void for_all_columns(const auto& check) {
  for_all_columns(std::make_integer_sequence<unsigned, 16>(), check);
}

TEST(Wgmma, ProductWithAInRegistersIsThatOfTheMatrices) {
  for_all_columns([]<unsigned kColumns>() {
    check_with_a_in_registers<kColumns, false>(Cores::plain, true);
    check_with_a_in_registers<kColumns, true>(Cores::plain_transposed, false);
    check_with_a_in_registers<kColumns, false>(Cores::swizzled, true);
    check_with_a_in_registers<kColumns, true>(Cores::swizzled_transposed, true);
  });
}

TEST(Wgmma, ProductWithAInSharedMemoryIsThatOfTheMatrices) {
  for_all_columns([]<unsigned kColumns>() {
    check_with_a_in_shared_memory<kColumns, false, false>(Cores::plain, Cores::plain);
    check_with_a_in_shared_memory<kColumns, false, true>(Cores::plain, Cores::plain_transposed);
    check_with_a_in_shared_memory<kColumns, true, false>(Cores::plain_transposed, Cores::swizzled);
    check_with_a_in_shared_memory<kColumns, true, true>(Cores::plain_transposed,
                                                        Cores::plain_transposed);
  });
  check_with_a_in_shared_memory<72, false, false>(Cores::swizzled, Cores::plain);
  check_with_a_in_shared_memory<72, true, true>(Cores::swizzled_transposed,
                                                Cores::swizzled_transposed);
}

// Columns of tiles, as a product leaves them, are stored a path a row, and read back with paths for
// k.
TEST(Wgmma, ResultsStoredAsMatricesAreFactorsOfAWeightGradient) {
  constexpr unsigned outputs = 64, inputs = 72, paths = 64;
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  std::vector<float> delta(paths * outputs), x(paths * inputs), gradient(outputs * inputs);
  for (float& value : delta) value = f16_value(pack_f16(normal(generator), 0));
  for (float& value : x) value = f16_value(pack_f16(normal(generator), 0));
  // Cores of 8 paths × 8 channels, those of 8 paths side by side.
  const auto store = [](const std::vector<float>& values, unsigned width, unsigned begin) {
    const unsigned lane = lane_index(), g = lane / 4, q = lane % 4, path = 16 * warp_index();
    const auto pair = [&](unsigned row, unsigned column) {
      const float* first = &values[(path + row) * width + column];
      return pack_f16(first[0], first[1]);
    };
    const auto row = [&](unsigned column, unsigned row_of_tile) {
      return halves(begin + 16 * ((path + row_of_tile) / 8 * width + column + row_of_tile % 8));
    };
    for (unsigned tile = 0; tile < width / 8; ++tile) {
      const unsigned column = 8 * tile;
      const unsigned r[2] = {pair(g, column + 2 * q), pair(g + 8, column + 2 * q)};
      stmatrix_x2(row(column, lane % 16), r);
    }
  };
  run_kernel(1, 128, 32768, [&] {
    store(delta, outputs, 0);
    store(x, inputs, 16384);
    proxy_fence();
    block_barrier();
    const MatrixDescriptor a = matrix_descriptor(halves(0), 16 * outputs, 128),
                           b = matrix_descriptor(halves(16384), 16 * inputs, 128);
    float d[inputs / 2];
    wgmma_fence(d);
    for (unsigned block = 0; block < paths / 16; ++block) {
      wgmma_f16<true, true>(d, a + 32 * outputs * block, b + 32 * inputs * block, block > 0);
    }
    wgmma_commit();
    wgmma_wait<0>(d);
    for (unsigned i = 0; i < inputs / 2; ++i)
      gradient[Case::row(i) * inputs + Case::column(i)] = d[i];
  });
  for (unsigned o = 0; o < outputs; ++o) {
    for (unsigned i = 0; i < inputs; ++i) {
      double exact = 0, size = 0;
      for (unsigned path = 0; path < paths; ++path) {
        const double term = double{delta[path * outputs + o]} * x[path * inputs + i];
        exact += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(gradient[o * inputs + i], exact, paths * 0x1p-24 * size) << o << ", " << i;
    }
  }
}

// ------------------------------------------------------------------------------------------ faults

template <class Body>
void expect_fault(unsigned threads, const Body& body, std::initializer_list<const char*> parts) {
  const std::string fault = refusal([&] { run_kernel(1, threads, 4096, body); });
  for (const char* part : parts) {
    EXPECT_NE(fault.find(part), fault.npos) << "not \"" << part << "\" in: " << fault;
  }
}

template <class Body>
void expect_clean(unsigned threads, const Body& body) {
  EXPECT_EQ(refusal([&] { run_kernel(1, threads, 4096, body); }), "accepted");
}

constexpr unsigned one = 0x3C003C00u;

/// B of 16 × 8 ones: two cores, from byte 0 on.
void store_ones() {
  if (thread_index() < 64) shared_memory().as<unsigned>().store(thread_index(), one);
}
MatrixDescriptor ones() { return matrix_descriptor(halves(0), 128, 128); }

/// One product of ones, with something to do at each place.
struct Steps {
  void (*after_stores)() = [] {
    proxy_fence();
    block_barrier();
  };
  void (*fence)(float (&d)[4], unsigned (&a)[4]) = [](auto& d, auto& a) { wgmma_fence(d, a); };
  void (*before)(float (&d)[4], unsigned (&a)[4]) = [](auto&, auto&) {};
  void (*after_commit)(float (&d)[4], unsigned (&a)[4]) = [](auto&, auto&) {};
  void (*wait)(float (&d)[4]) = [](auto& d) { wgmma_wait<0>(d); };
  void (*after_wait)(float (&d)[4]) = [](auto& d) {
    for (const float value : d) EXPECT_EQ(value, 16);
  };

  void operator()() const {
    store_ones();
    after_stores();
    float d[4] = {};
    unsigned a[4] = {one, one, one, one};
    fence(d, a);
    before(d, a);
    wgmma_f16(d, a, ones(), true);
    wgmma_commit();
    after_commit(d, a);
    wait(d);
    after_wait(d);
  }
};

TEST(WgmmaFault, NoneIsFoundWhereThereIsNone) { expect_clean(256, Steps{}); }

TEST(WgmmaFault, StoresThatNoProxyFenceOrdersAreReported) {
  const auto parts = {"wgmma reads shared memory at byte ", ", which thread ",
                      " with no proxy_fence and barrier between them"};
  expect_fault(128, Steps{.after_stores = [] { block_barrier(); }}, parts);
  expect_fault(128, Steps{.after_stores = [] { proxy_fence(); }}, parts);
  // Fences of warps that did not write, before the barrier.
  expect_fault(128,
               Steps{.after_stores =
                         [] {
                           if (warp_index() > 1) proxy_fence();
                           block_barrier();
                         }},
               parts);
  expect_fault(256,
               Steps{.after_stores =
                         [] {
                           proxy_fence();  // which the second group does not see
                           named_barrier(1 + warp_index() / 4, 128);
                         }},
               parts);
  expect_clean(128, Steps{.after_stores = [] {
                 block_barrier();
                 proxy_fence();  // of what the barrier has shown
               }});
  expect_clean(128, Steps{.after_stores = [] {
                 proxy_fence();
                 named_barrier(1, 128);
               }});
  expect_fault(
      128,
      [] {
        proxy_fence();
        store_ones();
        block_barrier();
        Steps{.after_stores = [] {}}();
      },
      parts);
}

TEST(WgmmaFault, AProductOfUnwrittenMemoryIsReported) {
  expect_fault(128,
               [] {
                 float d[4] = {};
                 const unsigned a[4] = {};
                 wgmma_fence(d, a);
                 wgmma_f16(d, a, ones(), true);
                 wgmma_commit();
                 wgmma_wait<0>(d);
               },
               {"reads shared memory at byte 0, which nothing has written"});
  expect_fault(128,
               [] {
                 float d[4] = {};
                 const unsigned a[4] = {};
                 wgmma_fence(d, a);
                 wgmma_f16(d, a, matrix_descriptor(halves(4096), 128, 128), true);
                 wgmma_commit();
                 wgmma_wait<0>(d);
               },
               {"reads 16 bytes at byte 4096 of shared memory, of which the block has 4096"});
}

TEST(WgmmaFault, AnOverwriteBeforeTheWaitIsReported) {
  expect_fault(
      128,
      Steps{.after_commit =
                [](auto&, auto&) {
                  store_ones();
                  proxy_fence();
                  block_barrier();
                }},
      {"wgmma reads shared memory at byte 0, which thread 0 wrote", "with no proxy_fence"});
  expect_fault(128, Steps{.after_commit = [](auto&, auto&) { store_ones(); }},
               {"with no barrier between them"});
}

TEST(WgmmaFault, AnOverwriteAfterTheWaitWaitsForTheOtherWarps) {
  expect_clean(128, Steps{.after_wait = [](auto&) {
                 block_barrier();
                 store_ones();
               }});
  expect_fault(128, Steps{.after_wait = [](auto&) { store_ones(); }},
               {"writes shared memory at byte ", " read (", "with no barrier between them"});
}

TEST(WgmmaFault, AnOverwriteOfTheWarpsOwnRowsOfAWaitsForTheOtherWarps) {
  // A of 64 × 16 ones after B, a warp writes the rows that are its own in the product.
  const auto overwrite = [](auto barrier) {
    return [barrier] {
      store_ones();
      const unsigned word = 64 + 128 * warp_index() + lane_index();
      const auto store = [word] {
        for (unsigned i = 0; i < 4; ++i) shared_memory().as<unsigned>().store(word + 32 * i, one);
      };
      store();
      proxy_fence();
      block_barrier();
      float d[4] = {};
      wgmma_fence(d);
      wgmma_f16(d, matrix_descriptor(halves(256), 128, 256), ones(), true);
      wgmma_commit();
      wgmma_wait<0>(d);
      barrier();
      store();
    };
  };
  expect_clean(128, overwrite([] { block_barrier(); }));
  expect_clean(128, overwrite([] { named_barrier(1, 128); }));
  expect_fault(128, overwrite([] {}), {"writes shared memory at byte ", ", which warp "});
}

TEST(WgmmaFault, AccumulatorsAreNotNumbersUntilTheWait) {
  expect_clean(128, Steps{.after_commit = [](auto& d, auto&) { EXPECT_TRUE(std::isnan(d[0])); }});
  expect_clean(128, Steps{.wait = [](auto& d) {
                 wgmma_wait<0>();
                 EXPECT_TRUE(std::isnan(d[3]));
                 wgmma_wait<0>(d);
               }});
}

TEST(WgmmaFault, RegistersThatChangeBeforeTheWaitAreReported) {
  expect_fault(128, Steps{.after_commit = [](auto& d, auto&) { d[2] = 0; }},
               {"accumulators of the wgmma at simt/wgmma_test.cpp:", "are written"});
  expect_fault(128, Steps{.after_commit = [](auto&, auto& a) { a[3] = 0; }},
               {"A of a wgmma has changed"});
  expect_fault(128,
               Steps{.after_commit =
                         [](auto& d, auto& a) {
                           d[1] = 0;
                           wgmma_f16(d, a, ones(), true);
                         }},
               {"accumulators of the wgmma at simt/wgmma_test.cpp:", "are written"});
}

TEST(WgmmaFault, RegistersThatNoFenceHasNamedAreReported) {
  expect_fault(128, Steps{.fence = [](auto&, auto& a) { wgmma_fence(a); }},
               {"D of a wgmma is not named in a wgmma_fence"});
  expect_fault(128, Steps{.fence = [](auto& d, auto&) { wgmma_fence(d); }},
               {"A of a wgmma is not named in a wgmma_fence"});
  expect_fault(128, Steps{.before = [](auto& d, auto&) { d[0] = 1; }},
               {"D of a wgmma has changed since its wgmma_fence"});
  expect_fault(128, Steps{.before = [](auto&, auto& a) { a[0] = 1; }},
               {"A of a wgmma has changed since its wgmma_fence"});
  // What a wait has named is for other instructions, until a fence names it again.
  expect_fault(128,
               Steps{.after_wait =
                         [](auto& d) {
                           const unsigned a[4] = {};
                           wgmma_fence(a);
                           wgmma_f16(d, a, ones(), true);
                         }},
               {"D of a wgmma is not named"});
  expect_fault(128, Steps{.after_commit = [](auto& d, auto&) { wgmma_fence(d); }},
               {"names accumulators that the wgmma at simt/wgmma_test.cpp:"});
}

TEST(WgmmaFault, AMissingWaitIsReported) {
  const auto parts = {"(simt/wgmma_test.cpp:", "returns before a wgmma_wait has named"};
  expect_fault(128, Steps{.wait = [](auto&) {}, .after_wait = [](auto&) {}}, parts);
  expect_fault(128, Steps{.wait = [](auto&) { wgmma_wait<0>(); }, .after_wait = [](auto&) {}},
               parts);
  expect_fault(128, Steps{.wait = [](auto& d) { wgmma_wait<1>(d); }},
               {"names accumulators that the wgmma at ", "still writes"});
  expect_fault(128, Steps{.after_commit = [](auto& d, auto& a) { wgmma_f16(d, a, ones(), true); }},
               {"still writes"});  // not committed
  expect_fault(128, Steps{.after_wait = [](auto& d) { wgmma_wait<0>(d); }},
               {"names registers that no wgmma has written"});
}

TEST(WgmmaFault, AWaitEndsTheGroupsBeforeTheLast) {
  expect_clean(128, Steps{.after_wait = [](auto& d) {
                 float first[4] = {}, second[4] = {};
                 const unsigned a[4] = {one, one, one, one};
                 wgmma_fence(first, second, a);
                 wgmma_f16(first, a, ones(), true);
                 wgmma_f16(first, a, ones(), true);
                 wgmma_commit();
                 wgmma_f16(second, a, ones(), false);
                 wgmma_commit();
                 wgmma_wait<1>(first);
                 EXPECT_EQ(first[1], 32);
                 EXPECT_TRUE(std::isnan(second[1]));
                 wgmma_wait<0>(second);
                 EXPECT_EQ(second[1], 16);
                 EXPECT_EQ(d[1], 16);
               }});
}

TEST(WgmmaFault, AWarpgroupThatIsNotWholeOrDivergesIsReported) {
  expect_fault(64, Steps{}, {"wgmma in a block of 64 threads; takes whole warpgroups of 128"});
  expect_fault(128,
               [] {
                 store_ones();
                 proxy_fence();
                 block_barrier();
                 float d[4] = {};
                 const unsigned a[4] = {};
                 wgmma_fence(d, a);
                 wgmma_f16(d, a, ones() + 16 * (warp_index() / 2), true);
               },
               {"the descriptors of a wgmma differ within its warpgroup"});
  expect_fault(128,
               [] {
                 if (warp_index() == 3) return;
                 Steps{.after_stores = [] {}}();
               },
               {"32 of 128 threads have returned", "32 threads of warp 1 at wgmma"});
  expect_fault(128,
               Steps{.fence =
                         [](auto& d, auto& a) {
                           wgmma_fence(d, a);
                           if (warp_index() == 2) wgmma_f16(d, a, ones(), false);
                         }},
               {"while ", "of its warpgroup wait at wgmma", "the warpgroup has diverged"});
}

TEST(WgmmaFault, ADescriptorOfWhatDoesNotFitIsReported) {
  expect_fault(128, [] { matrix_descriptor(halves(8), 128, 128); },
               {"describes a matrix at byte 8 with strides 128 and 128; takes multiples of 16"});
  expect_fault(128, [] { matrix_descriptor(halves(0), 8, 128); }, {"strides 8 and 128"});
  expect_fault(128, [] { matrix_descriptor(halves(0), 128, 1 << 18); }, {"below 262144"});
}

}  // namespace
}  // namespace ito::cuda
