#pragma once

#include "kernels/inline.cuh"

namespace ito {

template <class Number>
ITO_DEVICE bool is_finite(Number value) {
  return value - value == Number(0);
}

}  // namespace ito
