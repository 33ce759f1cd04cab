#include "model/check.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace ito {
namespace {

constexpr std::size_t two_to(int power) { return std::size_t{1} << power; }

TEST(Sizes, MultiplyUpToTheLargestArray) {
  EXPECT_EQ(product_of({2, 3, 5}), 30u);
  EXPECT_EQ(product_of({array_limit, 1}), array_limit);
  EXPECT_EQ(product_of({two_to(62), 1}), two_to(62));
}

TEST(Sizes, WhoseProductOverflowsHaveNoProduct) {
  EXPECT_EQ(product_of({two_to(62), 4}), std::nullopt);  // 2^64, which wraps to 0
  EXPECT_EQ(product_of({two_to(63)}), std::nullopt);
  EXPECT_EQ(product_of({two_to(32), two_to(32), 3}), std::nullopt);
  EXPECT_EQ(product_of({array_limit, 2}), std::nullopt);
}

TEST(Sizes, OfAnEmptyAxisMultiplyToNothingWhereverItStands) {
  EXPECT_EQ(product_of({two_to(62), two_to(62), 0}), 0u);
  EXPECT_EQ(product_of({0, two_to(62), two_to(62)}), 0u);
}

TEST(Sizes, ThatDoNotFitAreRefusedByTheNameOfTheField) {
  EXPECT_EQ(
      refusal([] {
        checked_product("data.count", {two_to(62), 4});
      }),
      "data.count: got 4611686018427387904 × 4; accepted: sizes whose product fits in memory");
  EXPECT_EQ(checked_elements<float>("x", {two_to(60)}), two_to(60));
  EXPECT_EQ(refusal([] {
              checked_elements<float>("x", {two_to(60), 2});
            }),
            "x: got 1152921504606846976 × 2; accepted: sizes whose product fits in memory");
}

TEST(Sizes, OfCountsAreBounded) {
  check_count("epochs", 1);
  check_count("epochs", count_limit);
  EXPECT_EQ(refusal([] { check_count("epochs", 0); }), "epochs: got 0; accepted: 1 to 2147483647");
  EXPECT_EQ(refusal([] { check_count("epochs", count_limit + 1); }),
            "epochs: got 2147483648; accepted: 1 to 2147483647");
  EXPECT_EQ(refusal([] { check_paths("paths", path_limit + 1); }),
            "paths: got 8589934593; accepted: 1 to 8589934592");
}

TEST(Sizes, OfMoreThanTheMachinesMemoryAreRefused) {
  const double all = machine_memory();
  check_memory("paths", 1, {.results = all}, "fewer");
  const auto message = [](Holding holding) {
    return refusal([&] { check_memory("paths", 7, holding, "fewer paths"); });
  };
  const std::string machine = fmt::format("{:.1f} GiB", all / 0x1p30);
  EXPECT_EQ(message({.results = 0x1p50, .beside = 0x1p40}),
            "paths: got 7, whose results take 1048576.0 GiB, in all 1049600.0 GiB of memory; "
            "accepted: what the " +
                machine + " of this machine hold: fewer paths");
  EXPECT_EQ(message({.beside = 0x1p50}),
            "paths: got 7, which takes 1048576.0 GiB of memory; accepted: what the " + machine +
                " of this machine hold: fewer paths");
}

}  // namespace
}  // namespace ito
