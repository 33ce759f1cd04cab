#include "cpu/tile.hpp"

namespace ito {

constexpr CpuKernels sse2_table = make_kernels<xsimd::sse2>("sse2");
const CpuKernels sse2_kernels = sse2_table;

}  // namespace ito
