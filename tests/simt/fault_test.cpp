// Faults that kernels have, each planted and caught, beside the same kernel without it.
#include <gtest/gtest.h>

#include "refusal.hpp"
#include "simt/run.hpp"

namespace ito::cuda {
namespace {

Shared<float> floats() { return shared_memory().as<float>(); }

/// What ends a launch; expects all of `parts` in it.
template <class Body>
void expect_fault(unsigned threads, unsigned shared_bytes, const Body& body,
                  std::initializer_list<const char*> parts) {
  const std::string fault = refusal([&] { run_kernel(2, threads, shared_bytes, body); });
  for (const char* part : parts) {
    EXPECT_NE(fault.find(part), fault.npos) << "not \"" << part << "\" in: " << fault;
  }
}

template <class Body>
void expect_clean(unsigned threads, unsigned shared_bytes, const Body& body) {
  EXPECT_EQ(refusal([&] { run_kernel(2, threads, shared_bytes, body); }), "accepted");
}

/// Each thread stores a number and reads that of another, in memory that is written before.
template <class Barrier>
auto exchange(unsigned distance, Barrier barrier) {
  return [distance, barrier] {
    floats().store(thread_index(), 0.0f);
    block_barrier();
    floats().store(thread_index(), 1.0f);
    barrier();
    floats().load((thread_index() + distance) % block_size());
  };
}

TEST(Fault, AMissingBlockBarrierIsReported) {
  expect_clean(64, 256, exchange(32, [] { block_barrier(); }));
  expect_fault(64, 256, exchange(32, [] { warp_barrier(); }),
               {"kernel test, block 0, thread ", " (simt/fault_test.cpp:",
                " shared memory at byte ", ", which thread ", ") with no barrier between them"});
}

TEST(Fault, AReadAfterAWriteWithoutABarrierIsReported) {
  const auto hand_over = [](auto barrier) {
    return [barrier] {
      if (warp_index() == 1) floats().store(thread_index() - 32, 0.0f);
      block_barrier();  // the last to come is of warp 1 and goes on first
      if (warp_index() == 1) floats().store(thread_index() - 32, 1.0f);
      barrier();
      if (warp_index() == 0) floats().load(thread_index());
    };
  };
  expect_clean(64, 128, hand_over([] { block_barrier(); }));
  expect_fault(64, 128, hand_over([] {}),
               {"thread 0 ", "reads shared memory at byte 0, which thread 32 wrote"});
}

TEST(Fault, AMissingWarpBarrierIsReported) {
  expect_clean(32, 128, exchange(1, [] { warp_barrier(); }));
  expect_fault(32, 128, exchange(31, [] {}), {"with no barrier between them"});
}

TEST(Fault, ANamedBarrierOrdersTheMemoryOfItsWarpsAlone) {
  // Warps 0 and 1, and 2 and 3, each with a barrier; each thread reads what another wrote.
  const auto halves = [](unsigned distance) {
    return exchange(distance, [] { named_barrier(1 + warp_index() / 2, 64); });
  };
  const auto other_warp_of_the_pair = [] {
    return [] {
      floats().store(thread_index(), 1.0f);
      named_barrier(1 + warp_index() / 2, 64);
      floats().load(thread_index() ^ 32);
      named_barrier(1 + warp_index() / 2, 64);
      floats().store(thread_index() ^ 33, 2.0f);
    };
  };
  expect_clean(128, 512, other_warp_of_the_pair());
  expect_fault(128, 512, halves(64), {"reads shared memory", "with no barrier between them"});
  expect_fault(128, 512,
               [] {
                 floats().store(thread_index(), 1.0f);
                 named_barrier(1 + warp_index() / 2, 64);
                 floats().load(thread_index() ^ 32);
                 floats().store(thread_index() ^ 33, 2.0f);
               },
               {"with no barrier between them"});
}

TEST(Fault, NamedBarriersOrderThroughAThirdWarp) {
  // Warp 0 hands over to warp 1, and warp 1 to warp 2.
  const auto chain = [](bool whole) {
    return [whole] {
      const unsigned warp = warp_index();
      if (warp == 0) floats().store(lane_index(), 1.0f);
      if (warp < 2) named_barrier(1, 64);
      if (warp > 0 && whole) named_barrier(2, 64);
      if (warp == 2) floats().load(lane_index());
    };
  };
  expect_clean(96, 128, chain(true));
  expect_fault(96, 128, chain(false),
               {"thread 64 ", "reads shared memory at byte 0, which thread 0 wrote"});
}

TEST(Fault, AWriteAfterReadsOfSeveralWarpsWaitsForEach) {
  // Warps 0, 1 and 2 read; warp 0 then writes, having met warp 1, and warp 2 only if told to.
  const auto readers = [](bool third) {
    return [third] {
      if (warp_index() == 0) floats().store(lane_index(), 1.0f);
      block_barrier();
      floats().load(lane_index());
      if (warp_index() < 2) named_barrier(1, 64);
      if (warp_index() != 1 && third) named_barrier(2, 64);
      if (warp_index() == 0) floats().store(lane_index(), 2.0f);
    };
  };
  expect_clean(96, 128, readers(true));
  expect_fault(96, 128,
               [] {
                 if (warp_index() == 1) floats().store(lane_index(), 1.0f);
                 block_barrier();
                 floats().load(lane_index());
                 if (warp_index() > 0) named_barrier(1, 64);
                 if (warp_index() == 1) floats().store(lane_index(), 2.0f);
               },
               {"block 0, thread ", "writes shared memory at byte ", ", which thread ", " read ("});
  // A lane that reads once more, after the others and a barrier, may write.
  expect_clean(96, 128, [] {
    if (warp_index() == 0) floats().store(lane_index(), 1.0f);
    block_barrier();
    floats().load(lane_index());
    named_barrier(1, 96);
    if (warp_index() == 2) floats().store(lane_index(), floats().load(lane_index()));
  });
}

TEST(Fault, AMisusedNamedBarrierIsReported) {
  expect_fault(64, 0, [] { named_barrier(1, 32); },
               {"passes named_barrier 1 with warps 1, which warps 0 have passed"});
  expect_clean(64, 0, [] {
    if (warp_index() == 0) named_barrier(1, 32);
    block_barrier();
    if (warp_index() == 1) named_barrier(1, 32);
  });
  expect_fault(96, 0,
               [] {
                 if (warp_index() > 0) named_barrier(3, 96);
               },
               {"32 of 96 threads have returned", "32 threads of warp 1 at named_barrier"});
  expect_fault(64, 0, [] { named_barrier(2, 32 * (warp_index() + 1)); }, {"waits for ever"});
  expect_fault(96, 0, [] { named_barrier(2, warp_index() == 0 ? 64 : 96); },
               {"is at named_barrier 2 of 96 threads, where 32 wait (", ") for 64"});
  expect_fault(64, 0, [] { named_barrier(1 + lane_index() / 16, 64); }, {"different numbers"});
  expect_fault(64, 0, [] { named_barrier(0, 64); }, {"named_barrier 0; they are 1 to 15"});
  expect_fault(64, 0, [] { named_barrier(16, 64); }, {"named_barrier 16; they are 1 to 15"});
  expect_fault(64, 0, [] { named_barrier(1, 48); }, {"of 48 threads", "takes whole warps"});
  expect_fault(64, 0, [] { named_barrier(1, 96); }, {"of 96 threads, in a block of 64"});
}

TEST(Fault, AShuffleIsNoBarrier) {
  expect_fault(32, 128, exchange(1, [] { shuffle(0u, 0); }),
               {"reads shared memory at byte 124, which thread 31 wrote"});
}

TEST(Fault, AWriteAfterAReadWithoutABarrierIsReported) {
  const auto reuse = [](auto barrier) {
    return [barrier] {
      floats().store(thread_index(), 1.0f);
      block_barrier();
      floats().load(0);
      barrier();
      if (thread_index() == 7) floats().store(0, 2.0f);
    };
  };
  expect_clean(64, 256, reuse([] { block_barrier(); }));
  expect_fault(64, 256, reuse([] { warp_barrier(); }),
               {"thread 7 ", "writes shared memory at byte 0, which ", " read ("});
}

TEST(Fault, TwoWritesWithoutABarrierAreReported) {
  expect_fault(64, 4, [] { floats().store(0, 1.0f); },
               {"thread 1 ", "writes shared memory at byte 0, which thread 0 wrote"});
}

TEST(Fault, HalvesOfAWordAreCheckedSeparately) {
  const auto halves = [] { return shared_memory().as<unsigned short>(); };
  const auto write = [halves] { halves().store(thread_index(), 7); };
  expect_clean(32, 64, [=] {
    write();
    warp_barrier();
    shared_memory().as<unsigned>().load(thread_index() / 2);
  });
  expect_fault(32, 64,
               [=] {
                 write();
                 shared_memory().as<unsigned>().load(0);
               },
               {"thread 0 ", "reads shared memory at byte 2, which nothing has written"});
  expect_fault(32, 64,
               [=] {
                 write();
                 if (thread_index() == 31) halves().load(0);
               },
               {"reads shared memory at byte 0, which thread 0 wrote"});
}

TEST(Fault, AVectorReadChecksEveryWord) {
  expect_fault(32, 512,
               [] {
                 floats().store(thread_index(), 1.0f);
                 if (thread_index() == 31) shared_memory().as<Quad<float>>().load(4);
               },
               {"thread 31 ", "reads shared memory at byte 64, which thread 16 wrote"});
}

TEST(Fault, MatrixLoadsReadTheRowsOfTheWholeWarp) {
  const auto row = [] { return shared_memory().as<unsigned short>() + 8 * thread_index(); };
  const auto stage = [row](auto barrier) {
    return [row, barrier] {
      for (unsigned i = 0; i < 8; ++i) row().store(i, 1);
      barrier();
      unsigned r[4];
      ldmatrix_x4_transposed(r, row());  // this lane's own row, but others get it
    };
  };
  expect_clean(32, 512, stage([] { warp_barrier(); }));
  expect_fault(32, 512, stage([] {}), {"thread 0 ", "at byte 0, which thread 0 wrote"});
  const auto reuse = [row](auto barrier) {
    return [row, barrier] {
      for (unsigned i = 0; i < 8; ++i) row().store(i, 1);
      warp_barrier();
      unsigned r[4];
      ldmatrix_x4_transposed(r, row());
      barrier();
      row().store(0, 2);
    };
  };
  expect_clean(32, 512, reuse([] { warp_barrier(); }));
  expect_fault(32, 512, reuse([] {}), {"which warp 0 read"});
}

TEST(Fault, MatrixStoresWriteTheRowsOfTheWholeWarp) {
  const auto row = [] { return shared_memory().as<unsigned short>() + 8 * thread_index(); };
  const auto stage = [row](auto barrier) {
    return [row, barrier] {
      const unsigned r[4] = {};
      stmatrix_x4(row(), r);
      barrier();
      row().load(0);  // this lane's own row, but others wrote it
    };
  };
  expect_clean(32, 512, stage([] { warp_barrier(); }));
  expect_fault(32, 512, stage([] { shuffle(0u, 0); }),
               {"reads shared memory", "which warp 0 wrote"});
  const unsigned r[4] = {};
  expect_fault(32, 512, [&] { stmatrix_x4(shared_memory().as<unsigned short>(), r); },
               {"thread 1 ", "writes shared memory at byte 0, which warp 0 wrote"});
  expect_fault(32, 496, [&] { stmatrix_x4(row(), r); },
               {"thread 31 ", "writes 16 bytes at byte 496 of shared memory"});
}

TEST(Fault, AReadOfUnwrittenSharedMemoryIsReported) {
  expect_fault(
      32, 128,
      [] {
        if (thread_index() < 31) floats().store(thread_index(), 1.0f);
        block_barrier();
        floats().load(thread_index());
      },
      {"block 0, thread 31 ", "reads shared memory at byte 124, which nothing has written"});
}

TEST(Fault, ABlockDoesNotSeeSharedMemoryOfThePreviousOne) {
  expect_fault(32, 4,
               [] {
                 if (block_index() == 0 && thread_index() == 0) floats().store(0, 1.0f);
                 block_barrier();
                 floats().load(0);
               },
               {"block 1, thread 31 ", "nothing has written"});
}

TEST(Fault, SharedMemoryOutOfBoundsIsReported) {
  expect_fault(
      32, 124, [] { floats().store(thread_index(), 1.0f); },
      {"thread 31 ", "writes 4 bytes at byte 124 of shared memory, of which the block has 124"});
  expect_fault(32, 8, [] { (floats() + 0x3FFFFFFFu).load(1); },
               {"reads 4 bytes at byte 4294967296 of shared memory"});
  expect_fault(32, 500, [] { shared_memory().as<Quad<float>>().store(thread_index(), {}); },
               {"writes 16 bytes at byte 496 of shared memory"});
}

TEST(Fault, MisalignedSharedMemoryIsReported) {
  expect_fault(32, 256, [] { (shared_memory() + 2).as<float>().store(0, 1.0f); },
               {"writes 4 bytes at byte 2 of shared memory, which is misaligned"});
  expect_fault(32, 256, [] { (shared_memory() + 8).as<Quad<float>>().load(0); },
               {"reads 16 bytes at byte 8 of shared memory, which is misaligned"});
}

TEST(Fault, MisalignedGlobalMemoryIsReported) {
  alignas(16) const float values[8] = {};
  expect_fault(32, 0, [&] { load_read_only(reinterpret_cast<const Quad<float>*>(values + 1)); },
               {"reads 16 bytes at ", "which is misaligned"});
}

TEST(Fault, ADivergentCollectiveIsReported) {
  expect_fault(32, 0,
               [] {
                 if (thread_index() == 5) {
                   shuffle(1u, 0);
                 } else {
                   warp_barrier();
                 }
               },
               {"thread 5 ",
                "is at shuffle while 5 of its warp wait at warp_barrier (simt/fault_test.cpp:"});
  expect_fault(32, 0,
               [] {
                 if (thread_index() < 16) {
                   shuffle(1u, 0);
                 } else {
                   shuffle(1u, 0);
                 }
               },
               {"thread 16 ", "the warp has diverged"});
}

TEST(Fault, AThreadThatReturnsBeforeABarrierIsReported) {
  expect_fault(64, 0,
               [] {
                 if (thread_index() != 40) block_barrier();
               },
               {"block 0", "1 of 64 threads have returned", "32 threads of warp 0 at block_barrier",
                "31 threads of warp 1 at block_barrier (simt/fault_test.cpp:"});
  expect_fault(32, 0,
               [] {
                 if (thread_index() != 0) shuffle(1u, 0);
               },
               {"1 of 32 threads have returned", "31 threads of warp 0 at shuffle"});
}

TEST(Fault, ABlockBarrierThatOneWarpSkipsIsReported) {
  expect_fault(
      96, 0,
      [] {
        if (warp_index() == 1) return;
        block_barrier();
      },
      {"32 of 96 threads have returned", "warp 0 at block_barrier", "warp 2 at block_barrier"});
}

TEST(Fault, AWrongLaneMappingGivesAnotherProduct) {
  // x becomes A of the next product: rows g and g + 8 in registers 0 and 1.
  const auto trace = [](unsigned first, unsigned second) {
    float sum = 0;
    run_warp([&] {
      unsigned a[4] = {}, b[2] = {};
      const unsigned g = lane_index() / 4, q = lane_index() % 4;
      a[first] = pack_f16(static_cast<float>(g), 0);
      a[second] = pack_f16(static_cast<float>(g + 8), 0);
      b[0] = pack_f16(1, 0);
      float d[4] = {};
      mma_f16(d, a, b);
      if (q == 0) sum += d[2];
    });
    return sum;
  };
  EXPECT_EQ(trace(0, 1), 4.0f * (8 + 9 + 10 + 11 + 12 + 13 + 14 + 15));
  EXPECT_NE(trace(0, 2), trace(0, 1));
}

TEST(Fault, ALaunchAfterAFaultIsClean) {
  expect_fault(1024, 4096, exchange(32, [] {}), {"with no barrier"});
  expect_clean(1024, 4096, exchange(32, [] { block_barrier(); }));
}

}  // namespace
}  // namespace ito::cuda
