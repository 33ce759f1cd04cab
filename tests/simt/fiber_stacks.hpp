#pragma once

#include <boost/context/stack_context.hpp>

namespace ito::cuda::simt {

/// Stacks of one size with an unmapped page below, kept for the next fiber. An allocator in the
/// sense of Boost.Context; all share one pool.
struct FiberStacks {
  boost::context::stack_context allocate();
  void deallocate(boost::context::stack_context& stack) noexcept;
};

/// Tells AddressSanitizer, where it is on, that execution moves to another stack. `leave` is called
/// before the switch and `arrive` after it, on the new stack.
class StackSwitch {
 public:
  StackSwitch(const void* bottom = nullptr, std::size_t bytes = 0)
      : bottom_(bottom), bytes_(bytes) {}
  void leave(const StackSwitch& to, bool for_good);
  void arrive(StackSwitch& from);

 private:
  const void* bottom_;
  std::size_t bytes_;
  void* fake_stack_ = nullptr;
};

}  // namespace ito::cuda::simt
