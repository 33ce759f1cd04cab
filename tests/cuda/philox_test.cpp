// The generator of the kernels beside NVIDIA's, whose license keeps it out of ours.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include <ito/noise.hpp>

#if __has_include(<curand_philox4x32_x.h>) && __has_include(<nv/target>)
#include <vector_types.h>
#define QUALIFIERS static inline
#include <curand_philox4x32_x.h>
#define ITO_CURAND
#endif

namespace ito::cuda {
namespace {

TEST(Philox, AgreesWithCurand) {
#ifdef ITO_CURAND
  std::mt19937 generator(1);
  const auto word = [&] { return static_cast<std::uint32_t>(generator()); };
  for (int i = 0; i < 10'000; ++i) {
    const std::array<std::uint32_t, 4> counter{word(), word(), word(), word()};
    const std::uint32_t low = word(), high = word();
    const uint4 wanted =
        curand_Philox4x32_10({counter[0], counter[1], counter[2], counter[3]}, {low, high});
    ASSERT_EQ(philox4x32(counter, std::uint64_t{high} << 32 | low),
              (std::array<std::uint32_t, 4>{wanted.x, wanted.y, wanted.z, wanted.w}));
  }
#else
  GTEST_SKIP() << "no <curand_philox4x32_x.h>, which the CUDA toolkit brings";
#endif
}

}  // namespace
}  // namespace ito::cuda
