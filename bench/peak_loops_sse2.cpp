#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops sse2_table = make_loops<ito::cpu::Isa>("sse2", make_pieces<ito::cpu::Isa>());
const PeakLoops sse2_loops = sse2_table;

}  // namespace bench
