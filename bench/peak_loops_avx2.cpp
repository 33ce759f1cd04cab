#include "peak_loops.hpp"

namespace bench {

constexpr PeakLoops avx2_table = make_loops<xsimd::fma3<xsimd::avx2>>("avx2");
const PeakLoops avx2_loops = avx2_table;

}  // namespace bench
