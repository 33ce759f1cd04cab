#pragma once

#include <memory>

#include "cuda/kernel_source.hpp"

namespace ito::cuda {

KernelSource same_sums_source();

/// Whether the device's tensor cores add up wgmma and mma alike, as far as 260,000 sums show. Waits
/// for the device, which must have wgmma.
bool adds_up_alike(const std::shared_ptr<Gpu>& gpu);

}  // namespace ito::cuda
