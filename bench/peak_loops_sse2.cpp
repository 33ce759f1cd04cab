#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops sse2_table = make_loops<xsimd::sse2>("sse2", make_pieces<xsimd::sse2>());
const PeakLoops sse2_loops = sse2_table;

}  // namespace bench
