#pragma once

#include <string>

#include <ito/plan.hpp>

#include "kernels/fused/layout.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The sizes, kinds and places of a model.
ModelSpec spec_of(const ModelShape& shape);

/// `spec` as C++ text: an initialiser of a ModelSpec.
std::string initializer(const ModelSpec& spec);

/// What products of a precision ask of the packing.
PackedFormat packed_format(Precision precision);

}  // namespace ito::cuda
