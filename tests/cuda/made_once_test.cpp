#include "cuda/made_once.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ito::cuda {
namespace {

TEST(MadeOnce, ThreadsThatWantTheSameShareOneMaking) {
  MadeOnce<int> values;
  std::atomic<int> made = 0, sum = 0;
  std::latch start(8);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        sum += values.get("key", [&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          return ++made;
        });
      });
    }
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(sum, 8);
  EXPECT_EQ(values.get("another", [] { return 5; }), 5);
}

TEST(MadeOnce, MakingOneDoesNotWaitForAnother) {
  MadeOnce<int> values;
  const int outer = values.get("outer", [&] { return 1 + values.get("inner", [] { return 1; }); });
  EXPECT_EQ(outer, 2);
}

TEST(MadeOnce, AFailureIsThrownAndForgotten) {
  MadeOnce<int> values;
  const auto failing = [&] { values.get("key", []() -> int { throw std::runtime_error("no"); }); };
  EXPECT_THROW(failing(), std::runtime_error);
  EXPECT_EQ(values.get("key", [] { return 7; }), 7);
}

}  // namespace
}  // namespace ito::cuda
