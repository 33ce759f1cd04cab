#pragma once

#include <ito/noise.hpp>

namespace ito {

/// Student-t with `degrees` > 0 degrees of freedom (Bailey 1994: Box–Muller with the radius
/// √(ν (u^(−2/ν) − 1)) in place of √(−2 log u)).
double draw_student(double degrees, UniformStream& uniforms);

/// Binomial(count, p), exact: inversion while the mean is small, else transformed rejection with
/// squeeze (Hörmann 1993, BTRD's simpler form BTRS).
double draw_binomial(int count, double p, UniformStream& uniforms);

/// Poisson(mean), exact: inversion while the mean is small, else transformed rejection (Hörmann
/// 1993, PTRS). Throws ito::Error when the mean is above the largest count a float holds exactly.
double draw_poisson(double mean, UniformStream& uniforms);

}  // namespace ito
