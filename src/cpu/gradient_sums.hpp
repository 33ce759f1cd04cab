#pragma once

#include "cpu/tile_model.hpp"

namespace ito {

/// Adds a net's gradient sums to the flat gradient, whose element 0 is parameter `base`, and clears
/// them. The bias of a layer that takes a context is left to the caller.
void take_net_sums(const TileNet& net, float* scratch, double* gradient, std::size_t base = 0);

/// Sum of `count` floats, which are cleared.
double take_sum(float* lanes, int count);

}  // namespace ito
