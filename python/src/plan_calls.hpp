#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <ito/error.hpp>

// What the calls of one plan share.
namespace ito::python {

/// Blocks of memory for workspaces, kept for the calls to come: fresh pages cost more than a small
/// call.
class Workspaces {
 public:
  static constexpr std::size_t alignment = 64;  ///< of all: a copy elsewhere is laid out alike

  struct Freed {
    void operator()(std::byte* memory) const {
      ::operator delete[](memory, std::align_val_t{alignment});
    }
  };
  struct Block {
    std::unique_ptr<std::byte[], Freed> memory;
    std::size_t size = 0;
    std::span<std::byte> bytes() const { return {memory.get(), size}; }
  };
  Block take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    for (Block& block : free_) {
      if (block.size < size || block.size > 2 * size + 4096) continue;
      Block taken = std::exchange(block, std::move(free_.back()));
      free_.pop_back();
      return taken;
    }
    auto* const memory =
        static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment}));
    return {std::unique_ptr<std::byte[], Freed>(memory), size};
  }
  void give(Block block) {
    const std::lock_guard lock(mutex_);
    if (block.memory && free_.size() < most_) free_.push_back(std::move(block));
  }

 private:
  static constexpr std::size_t most_ = 4;
  std::mutex mutex_;
  std::vector<Block> free_;
};

/// Refuses a second caller while one is inside.
class OneCaller {
 public:
  explicit OneCaller(std::atomic<bool>& busy) : busy_(busy) {
    if (busy_.exchange(true)) {
      throw Error("plan", "a call while another thread's is running",
                  "one call at a time; make a Plan for each thread");
    }
  }
  ~OneCaller() { busy_ = false; }
  OneCaller(const OneCaller&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace ito::python
