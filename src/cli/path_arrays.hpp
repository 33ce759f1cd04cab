#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ito::cli {

/// Numbers that an option reads from a .npy or .npz file.
template <class Real>
struct PathArray {
  std::vector<std::size_t> shape;
  std::vector<Real> values;
};

/// Of --x0: [paths, state] or one [state], or `x` [paths, saves, state] of a .npz file that `ito
/// simulate` wrote, whose last save it takes. Throws ito::Error naming the option, the file and
/// what is wrong: the shape, or the row and column of a number that is not finite.
template <class Real>
PathArray<Real> read_x0(const std::string& file, std::size_t state);

/// Of --context: [observations, intervals, size], or fewer axes. Throws likewise.
template <class Real>
PathArray<Real> read_context(const std::string& file, std::size_t size);

}  // namespace ito::cli
