#include "cpu/tile.hpp"

namespace ito {

constexpr CpuKernels avx2_table = make_kernels<xsimd::fma3<xsimd::avx2>>("avx2");
const CpuKernels avx2_kernels = avx2_table;

}  // namespace ito
