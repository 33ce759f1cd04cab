#pragma once

#include <string>

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// "kernels/fused/simulate.cuh:120"
std::string place(Site site);

/// Ends the launch; the message begins with the running kernel, block and thread, and the place.
[[noreturn]] void fail(Site site, const std::string& what);

/// Holds the running lane until all 32 of its warp are here, at the same place; the last to come
/// runs `combine` on what all have brought and goes on.
void meet(const char* collective, Operands operands, void (*combine)(const Operands (&)[32]),
          Site site);

/// Accesses of the warp as a whole, by the matrix moves. `offset`: a row of 16 bytes.
void note_warp_read(unsigned offset, Site site);
void note_warp_write(unsigned offset, Site site);

}  // namespace ito::cuda::simt
