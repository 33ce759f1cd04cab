#pragma once

namespace ito::cuda::simt {

/// The asynchronous products of a block of `warps` warps: none so far. `from_last`:
/// Launch::wgmma_from_last.
void forget_products(unsigned warps, bool from_last);

/// Ends the launch unless every product of the running lane has been waited for.
void check_products_are_done();

}  // namespace ito::cuda::simt
