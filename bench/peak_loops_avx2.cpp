#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops avx2_table =
    make_loops<xsimd::fma3<xsimd::avx2>>("avx2", make_pieces<xsimd::fma3<xsimd::avx2>>());
const PeakLoops avx2_loops = avx2_table;

}  // namespace bench
