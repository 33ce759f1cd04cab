#include "simt/fiber_stacks.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace ito::cuda::simt {
namespace {

constexpr std::size_t stack_bytes = 1 << 20;

// Launches hold one lock, so this needs none of its own.
std::vector<void*> free_stacks;

}  // namespace

boost::context::stack_context FiberStacks::allocate() {
  boost::context::stack_context stack;
  stack.size = stack_bytes;
  if (free_stacks.empty()) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, page, PROT_NONE);
    stack.sp = static_cast<char*>(memory) + page + stack_bytes;
    return stack;
  }
  stack.sp = free_stacks.back();
  free_stacks.pop_back();
  return stack;
}

void FiberStacks::deallocate(boost::context::stack_context& stack) noexcept {
#ifdef __SANITIZE_ADDRESS__
  // The first frames never return, so their marks would stay.
  constexpr std::size_t first_frames = 1 << 14;
  __asan_unpoison_memory_region(static_cast<char*>(stack.sp) - first_frames, first_frames);
#endif
  free_stacks.push_back(stack.sp);
}

#ifdef __SANITIZE_ADDRESS__
void StackSwitch::leave(const StackSwitch& to, bool for_good) {
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, to.bottom_, to.bytes_);
}
void StackSwitch::arrive(StackSwitch& from) {
  __sanitizer_finish_switch_fiber(fake_stack_, &from.bottom_, &from.bytes_);
}
#else
void StackSwitch::leave(const StackSwitch&, bool) {}
void StackSwitch::arrive(StackSwitch&) {}
#endif

}  // namespace ito::cuda::simt
