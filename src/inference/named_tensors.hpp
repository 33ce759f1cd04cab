#pragma once

#include <span>
#include <string>
#include <vector>

#include <ito/parameters.hpp>

namespace ito {

/// The tensors that names ask for, whole ones ("drift.0.weight") or what comes before a dot
/// ("drift"), in the order of the names. Throws ito::Error, of `field`, on a name that fits none.
std::vector<Tensor> named_tensors(std::span<const Tensor> tensors,
                                  std::span<const std::string> names, const char* field);

}  // namespace ito
