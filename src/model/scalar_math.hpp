#pragma once

#include "kernels/arithmetic/activation.cuh"

namespace ito {

/// One activation of one double, chosen at run time.
inline ValueAndSlope<double> value_and_slope(Activation activation, double z) {
  switch (activation) {
    case Activation::identity:
      return value_and_slope<Activation::identity>(z);
    case Activation::relu:
      return value_and_slope<Activation::relu>(z);
    case Activation::tanh:
      return value_and_slope<Activation::tanh>(z);
    case Activation::sigmoid:
      return value_and_slope<Activation::sigmoid>(z);
    case Activation::softplus:
      return value_and_slope<Activation::softplus>(z);
    case Activation::silu:
      return value_and_slope<Activation::silu>(z);
    case Activation::lipswish:
      return value_and_slope<Activation::lipswish>(z);
    case Activation::gelu:
      return value_and_slope<Activation::gelu>(z);
    case Activation::exp:
      return value_and_slope<Activation::exp>(z);
  }
  return {z, 1.0};
}

}  // namespace ito
