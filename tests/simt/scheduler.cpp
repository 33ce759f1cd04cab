// Lanes are fibers that hand over to each other: a lane that has to wait resumes the next that can
// run, and the last to reach a barrier goes on without a switch.
#include "simt/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <boost/context/fiber.hpp>
#include <cstdlib>
#include <cstring>
#include <ito/error.hpp>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "simt/fiber_stacks.hpp"
#include "simt/launch.hpp"
#include "simt/products.hpp"
#include "simt/shared_shadow.hpp"

namespace ito::cuda::simt {

Position position;
SharedWindow shared_window;

namespace {

using boost::context::fiber;

/// Unwinds a lane of a block that has failed.
struct Abandoned {};

constexpr const char* block_barrier_name = "block_barrier";
constexpr const char* block_any_name = "block_any";
constexpr const char* named_barrier_name = "named_barrier";

struct Context {
  fiber continuation;
  StackSwitch stack;
};

/// What the lanes of a warp that wait are waiting at.
struct Gathering {
  const char* collective = nullptr;
  Site site{};
  std::uint32_t waiting = 0;   ///< one bit a lane
  std::uint32_t runnable = 0;  ///< that may be resumed, or started
  Operands operands[32];
};

/// A barrier of part of the block; warps as bits.
struct NamedBarrier {
  unsigned threads = 0;
  std::uint32_t arrived = 0;
  std::uint32_t passed = 0;  ///< that were here last, since the block's barrier
  Site site{};
};

/// Four warps that meet.
struct Warpgroup {
  const char* collective = nullptr;
  unsigned arrived = 0;
  Site site{};
};

struct Block {
  const Launch* launch = nullptr;
  Kernel kernel = nullptr;
  const void* argument = nullptr;
  std::vector<Context> contexts;  ///< one a thread, and the launch's own last
  std::vector<Gathering> warps;
  unsigned from = 0;  ///< the context that was left last
  unsigned warps_at_barrier = 0;
  bool any = false, any_of_last = false;  ///< what block_any is to tell
  NamedBarrier barriers[16];
  Warpgroup warpgroups[8];
  unsigned returned = 0;
  bool failed = false;
  std::string failure;

  unsigned main() const { return launch->threads; }
};

Block block;
SharedShadow shadow;

Accessor this_lane() {
  return {static_cast<std::uint8_t>(position.thread / 32),
          static_cast<std::uint8_t>(position.thread % 32)};
}

/// A lane that may run, one of the running warp before others, or the launch itself.
unsigned next_context() {
  const auto warps = static_cast<unsigned>(block.warps.size());
  unsigned warp = position.thread / 32;
  for (unsigned i = 0; i < warps; ++i) {
    std::uint32_t& runnable = block.warps[warp].runnable;
    if (runnable != 0) {
      const auto lane = static_cast<unsigned>(std::countr_zero(runnable));
      runnable &= runnable - 1;
      return 32 * warp + lane;
    }
    if (++warp == warps) warp = 0;
  }
  return block.main();
}

void arrive(unsigned self, fiber&& previous) {
  Context& from = block.contexts[block.from];
  block.contexts[self].stack.arrive(from.stack);
  from.continuation = std::move(previous);
  position.thread = self;
}

void switch_to(unsigned next, unsigned self) {
  block.from = self;
  block.contexts[self].stack.leave(block.contexts[next].stack, false);
  fiber previous = std::move(block.contexts[next].continuation).resume();
  arrive(self, std::move(previous));
}

/// "threads 0-30 wait at shuffle (kernels/x.cuh:12)" of every warp that waits.
std::string who_waits() {
  std::string text;
  for (std::size_t w = 0; w < block.warps.size(); ++w) {
    const Gathering& warp = block.warps[w];
    if (warp.waiting == 0) continue;
    const auto lanes = static_cast<unsigned>(std::popcount(warp.waiting));
    text += fmt::format("{}{} of warp {} at {} ({})", text.empty() ? "" : ", ",
                        lanes == 1 ? "1 thread" : fmt::format("{} threads", lanes), w,
                        warp.collective, place(warp.site));
  }
  return text;
}

std::string stuck() {
  return fmt::format("{} of {} threads have returned and the others wait: {}", block.returned,
                     block.launch->threads, who_waits());
}

/// "0, 3": the bits that are set.
std::string bits(std::uint32_t word) {
  std::string text;
  for (; word != 0; word &= word - 1)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", std::countr_zero(word));
  return text;
}

/// Lets every lane that waits run, to unwind.
void abandon(std::string failure) {
  if (!block.failed) block.failure = std::move(failure);
  block.failed = true;
  for (Gathering& warp : block.warps) {
    warp.runnable |= warp.waiting;
    warp.waiting = 0;
  }
}

/// Switches away from the running lane, which its gathering has marked as waiting.
void wait(Site site) {
  const unsigned self = position.thread;
  const unsigned next = next_context();
  if (next == block.main()) {
    fail(site, "waits for ever: " + stuck());
  }
  switch_to(next, self);
  if (block.failed) throw Abandoned{};
}

bool same_place(const Site& a, const Site& b) {
  return a.line() == b.line() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

/// Marks the running lane as waiting, and says whether it completes its warp.
bool gather(const char* collective, Site site) {
  Gathering& warp = block.warps[position.thread / 32];
  if (warp.waiting == 0) {
    warp.collective = collective;
    warp.site = site;
  } else if (warp.collective != collective || !same_place(warp.site, site)) {
    fail(site,
         fmt::format("is at {} while {} of its warp wait at {} ({}): the warp has diverged",
                     collective, std::popcount(warp.waiting), warp.collective, place(warp.site)));
  }
  warp.waiting |= 1u << position.thread % 32;
  return warp.waiting == 0xFFFFFFFFu;
}

void release(Gathering& warp) {
  warp.runnable |= warp.waiting;
  warp.waiting = 0;
}

void do_not_resume_this_lane() {
  block.warps[position.thread / 32].runnable &= ~(1u << position.thread % 32);
}

/// A lane from start to end; returns the context to go on with.
fiber run_lane(unsigned lane, fiber&& from) {
  arrive(lane, std::move(from));
  try {
    if (!block.failed) {
      block.kernel(block.argument);
      check_products_are_done();
    }
  } catch (const Abandoned&) {
  } catch (const std::exception& error) {
    abandon(error.what());
    do_not_resume_this_lane();
  }
  ++block.returned;
  unsigned next = next_context();
  if (next == block.main() && block.returned < block.launch->threads) {
    abandon(fmt::format("kernel {}, block {}: {}", block.launch->kernel, position.block, stuck()));
    next = next_context();
  }
  block.from = lane;
  block.contexts[lane].stack.leave(block.contexts[next].stack, true);
  return std::move(block.contexts[next].continuation);
}

void run_block() {
  block.from = block.main();
  block.warps_at_barrier = block.returned = 0;
  block.any = false;
  std::fill(std::begin(block.barriers), std::end(block.barriers), NamedBarrier{});
  std::fill(std::begin(block.warpgroups), std::end(block.warpgroups), Warpgroup{});
  forget_products(block.launch->threads / 32, block.launch->wgmma_from_last);
  for (Gathering& warp : block.warps) warp.waiting = 0, warp.runnable = 0xFFFFFFFFu;
  for (unsigned t = 0; t < block.launch->threads; ++t) {
    FiberStacks stacks;
    const auto memory = stacks.allocate();
    block.contexts[t].stack = {static_cast<char*>(memory.sp) - memory.size, memory.size};
    block.contexts[t].continuation =
        fiber(std::allocator_arg, boost::context::preallocated(memory.sp, memory.size, memory),
              stacks, [t](fiber&& from) { return run_lane(t, std::move(from)); });
  }
  position.thread = 0;
  switch_to(next_context(), block.main());
}

/// Shared memory of exactly the size asked for, filled with NaNs.
struct SharedBuffer {
  explicit SharedBuffer(unsigned bytes)
      : memory(static_cast<unsigned char*>(std::aligned_alloc(128, (bytes + 127u) / 128 * 128))),
        bytes_(bytes) {}
  void poison() { std::memset(memory.get(), 0xFF, bytes_); }

  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<unsigned char, Free> memory;
  unsigned bytes_;
};

}  // namespace

std::string place(Site site) {
  const std::string_view file = site.file_name();
  const auto last = file.rfind('/');
  const auto before = last == file.npos || last == 0 ? file.npos : file.rfind('/', last - 1);
  return fmt::format("{}:{}", before == file.npos ? file : file.substr(before + 1), site.line());
}

void fail(Site site, const std::string& what) {
  throw Error(fmt::format("kernel {}, block {}, thread {} ({}): {}", block.launch->kernel,
                          position.block, position.thread, place(site), what));
}

void meet(const char* collective, Operands operands, void (*combine)(const Operands (&)[32]),
          Site site) {
  Gathering& warp = block.warps[position.thread / 32];
  warp.operands[position.thread % 32] = operands;
  if (!gather(collective, site)) {
    wait(site);
    return;
  }
  combine(warp.operands);
  release(warp);
  do_not_resume_this_lane();
}

void meet_warpgroup(const char* collective, Operands operands,
                    void (*combine)(const WarpgroupOperands& warps, Site site), Site site) {
  const unsigned self = position.thread / 32, first = self / 4 * 4;
  if (first + 4 > block.warps.size()) {
    fail(site, fmt::format("is at {} in a block of {} threads; takes whole warpgroups of 128",
                           collective, block.launch->threads));
  }
  block.warps[self].operands[position.thread % 32] = operands;
  if (!gather(collective, site)) {
    wait(site);
    return;
  }
  Warpgroup& group = block.warpgroups[self / 4];
  if (group.arrived == 0) {
    group.collective = collective;
    group.site = site;
  } else if (group.collective != collective || !same_place(group.site, site)) {
    fail(site, fmt::format("is at {} while {} of its warpgroup wait at {} ({}): the warpgroup has "
                           "diverged",
                           collective, 32 * group.arrived, group.collective, place(group.site)));
  }
  if (++group.arrived < 4) {
    wait(site);
    return;
  }
  group.arrived = 0;
  WarpgroupOperands warps;
  for (unsigned w = 0; w < 4; ++w) warps[w] = block.warps[first + w].operands;
  combine(warps, site);
  for (unsigned w = 0; w < 4; ++w) release(block.warps[first + w]);
  do_not_resume_this_lane();
}

void warp_barrier(Site site) {
  meet(
      "warp_barrier", {},
      [](const Operands(&)[32]) {
        if (shared_window.races) shadow.pass_warp_barrier(position.thread / 32);
      },
      site);
}

namespace {

/// A barrier of the block; the last thread to come does `at_end`.
template <class AtEnd>
void meet_block(const char* barrier, Site site, AtEnd at_end) {
  if (!gather(barrier, site) || ++block.warps_at_barrier < block.warps.size()) {
    wait(site);
    return;
  }
  block.warps_at_barrier = 0;
  at_end();
  if (shared_window.races) shadow.pass_block_barrier();
  for (NamedBarrier& named : block.barriers) named.passed = 0;
  for (Gathering& warp : block.warps) release(warp);
  do_not_resume_this_lane();
}

}  // namespace

void block_barrier(Site site) {
  meet_block(block_barrier_name, site, [] {});
}

bool block_any(bool value, Site site) {
  block.any = block.any || value;
  meet_block(block_any_name, site, [] {
    block.any_of_last = block.any;
    block.any = false;
  });
  return block.any_of_last;
}

void named_barrier(unsigned id, unsigned threads, Site site) {
  if (id < 1 || id > 15) {
    fail(site, fmt::format("is at named_barrier {}; they are 1 to 15, 0 is block_barrier's", id));
  }
  if (threads == 0 || threads % 32 != 0 || threads > block.launch->threads) {
    fail(site,
         fmt::format("is at a named_barrier of {} threads, in a block of {}; takes whole warps",
                     threads, block.launch->threads));
  }
  const unsigned self = position.thread / 32;
  Gathering& warp = block.warps[self];
  warp.operands[position.thread % 32] = {nullptr, nullptr, nullptr, 1024 * id + threads};
  if (!gather(named_barrier_name, site)) {
    wait(site);
    return;
  }
  for (const Operands& lane : warp.operands) {
    if (lane.selector != 1024 * id + threads)
      fail(site, "its warp is at named_barriers of different numbers or sizes");
  }
  NamedBarrier& barrier = block.barriers[id];
  if (barrier.arrived == 0) {
    barrier.threads = threads;
    barrier.site = site;
  } else if (barrier.threads != threads) {
    fail(site,
         fmt::format("is at named_barrier {} of {} threads, where {} wait ({}) for {}", id, threads,
                     32 * std::popcount(barrier.arrived), place(barrier.site), barrier.threads));
  }
  barrier.arrived |= 1u << self;
  if (32 * static_cast<unsigned>(std::popcount(barrier.arrived)) < threads) {
    wait(site);
    return;
  }
  const std::uint32_t warps = std::exchange(barrier.arrived, 0u);
  if (barrier.passed != 0 && barrier.passed != warps) {
    fail(site,
         fmt::format("passes named_barrier {} with warps {}, which warps {} have passed with no "
                     "block_barrier between them",
                     id, bits(warps), bits(barrier.passed)));
  }
  barrier.passed = warps;
  if (shared_window.races) shadow.pass_named_barrier(warps);
  for (std::size_t w = 0; w < block.warps.size(); ++w) {
    if (warps >> w & 1) release(block.warps[w]);
  }
  do_not_resume_this_lane();
}

void shared_fault(bool writes, unsigned long offset, unsigned bytes, Site site) {
  const std::string access = fmt::format("{} {} bytes at byte {} of shared memory",
                                         writes ? "writes" : "reads", bytes, offset);
  if (offset + bytes > shared_window.bytes) {
    fail(site, fmt::format("{}, of which the block has {}", access, shared_window.bytes));
  }
  fail(site, fmt::format("{}, which is misaligned", access));
}

void global_fault(const void* address, unsigned bytes, Site site) {
  fail(site, fmt::format("reads {} bytes at {}, which is misaligned", bytes, address));
}

namespace {

Accessor this_warp() {
  return {static_cast<std::uint8_t>(position.thread / 32), Accessor::whole_warp};
}

}  // namespace

void note_read(unsigned offset, unsigned bytes, Site site) {
  shadow.read(offset, bytes, this_lane(), site);
}
void note_write(unsigned offset, unsigned bytes, Site site) {
  shadow.write(offset, bytes, this_lane(), site);
}
void note_warp_read(unsigned offset, Site site) { shadow.read(offset, 16, this_warp(), site); }
void note_warp_write(unsigned offset, Site site) { shadow.write(offset, 16, this_warp(), site); }

void pass_proxy_fence() {
  if (shared_window.races) shadow.pass_proxy_fence(position.thread / 32);
}
ProxyView proxy_view(unsigned warp) {
  return shared_window.races ? shadow.proxy_view(warp) : ProxyView{};
}
void note_product_read(unsigned offset, unsigned warp, const ProxyView& view, Site site) {
  if (shared_window.races) shadow.read_by_product(offset, 16, warp, view, site);
}

void launch(const Launch& launch, Kernel kernel, const void* argument) {
  if (launch.threads % 32 != 0 || launch.threads == 0 || launch.threads > 1024) {
    throw Error("threads of a block", std::to_string(launch.threads), "a multiple of 32 to 1024");
  }
  static std::mutex one_launch;
  const std::lock_guard lock(one_launch);
  SharedBuffer shared(launch.shared_bytes);
  shared_window = {shared.memory.get(), launch.shared_bytes, launch.races};
  block.launch = &launch;
  block.kernel = kernel;
  block.argument = argument;
  block.failed = false;
  block.failure.clear();
  block.contexts = std::vector<Context>(launch.threads + 1);
  block.warps.assign(launch.threads / 32, {});
  for (unsigned b = 0; b < launch.blocks && !block.failed; ++b) {
    position = {0, b, launch.threads, launch.blocks};
    shared.poison();
    if (launch.races) shadow.reset(launch.shared_bytes, launch.threads / 32);
    run_block();
  }
  block.contexts.clear();
  shared_window = {};
  if (block.failed) throw Error(block.failure);
}

}  // namespace ito::cuda::simt
