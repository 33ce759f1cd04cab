#include "peak_loops.hpp"

namespace bench {

constexpr PeakLoops avx512_table = make_loops<xsimd::avx512bw>("avx512");
const PeakLoops avx512_loops = avx512_table;

}  // namespace bench
