#pragma once

#include <ito/ito.hpp>

namespace bench {

/// The demo of examples/digits, without what it holds out.
struct Digits {
  ito::LatentModel latent;
  ito::Dataset training;
};
Digits read_digits();

}  // namespace bench
