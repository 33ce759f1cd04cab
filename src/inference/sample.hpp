#pragma once

#include <cstddef>
#include <span>

#include <ito/sample.hpp>

namespace ito {

/// `sample`, holding about `memory` bytes of paths at a time. The draws do not depend on it.
Dataset sample_in_blocks(const LatentModel& latent, std::span<const float> parameters,
                         std::size_t count, const SampleOptions& options, std::size_t memory);

}  // namespace ito
