#include "cpu/scheme_tile.hpp"

namespace ito {

constexpr SchemeKernels avx512_scheme_table = make_scheme_kernels<xsimd::avx512bw>("avx512");
const SchemeKernels avx512_scheme_kernels = avx512_scheme_table;

}  // namespace ito
