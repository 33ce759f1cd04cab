#include "cpu/tile.hpp"

namespace ito {

constexpr CpuKernels avx512_table = make_kernels<xsimd::avx512bw>("avx512");
const CpuKernels avx512_kernels = avx512_table;

}  // namespace ito
