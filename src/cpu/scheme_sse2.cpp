#include "cpu/scheme_tile.hpp"

namespace ito {

constexpr SchemeKernels sse2_scheme_table = make_scheme_kernels<xsimd::sse2>("sse2");
const SchemeKernels sse2_scheme_kernels = sse2_scheme_table;

}  // namespace ito
