#pragma once

#include <string>

#include "kernels/emulated/device.hpp"
#include "simt/shared_shadow.hpp"

namespace ito::cuda::simt {

/// "kernels/fused/simulate.cuh:120"
std::string place(Site site);

/// Ends the launch; the message begins with the running kernel, block and thread, and the place.
[[noreturn]] void fail(Site site, const std::string& what);

/// Holds the running lane until all 32 of its warp are here, at the same place; the last to come
/// runs `combine` on what all have brought and goes on.
void meet(const char* collective, Operands operands, void (*combine)(const Operands (&)[32]),
          Site site);

/// Holds the running lane until all four warps of its warpgroup are here, at the same place; the
/// last lane to come runs `combine` on what all have brought, a warp after the other.
using WarpgroupOperands = const Operands* [4];
void meet_warpgroup(const char* collective, Operands operands,
                    void (*combine)(const WarpgroupOperands& warps, Site site), Site site);

/// What products read, where shared memory is watched.
void pass_proxy_fence();
ProxyView proxy_view(unsigned warp);
void note_product_read(unsigned offset, unsigned warp, const ProxyView& view, Site site);

/// Accesses of the warp as a whole, by the matrix moves. `offset`: a row of 16 bytes.
void note_warp_read(unsigned offset, Site site);
void note_warp_write(unsigned offset, Site site);

}  // namespace ito::cuda::simt
