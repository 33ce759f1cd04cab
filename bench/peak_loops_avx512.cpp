#include "piece_loops.hpp"

namespace bench {

constexpr PeakLoops avx512_table =
    make_loops<ito::cpu::Isa>("avx512", make_pieces<ito::cpu::Isa>());
const PeakLoops avx512_loops = avx512_table;

}  // namespace bench
