#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops avx512_table =
    make_loops<xsimd::avx512bw>("avx512", make_pieces<xsimd::avx512bw>());
const PeakLoops avx512_loops = avx512_table;

}  // namespace bench
