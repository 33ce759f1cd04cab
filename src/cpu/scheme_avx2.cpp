#include "cpu/scheme_tile.hpp"

namespace ito {

constexpr SchemeKernels avx2_scheme_table = make_scheme_kernels<xsimd::fma3<xsimd::avx2>>("avx2");
const SchemeKernels avx2_scheme_kernels = avx2_scheme_table;

}  // namespace ito
