#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops avx2_table = make_loops<ito::cpu::Isa>("avx2", make_pieces<ito::cpu::Isa>());
const PeakLoops avx2_loops = avx2_table;

}  // namespace bench
