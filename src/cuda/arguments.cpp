#include "cuda/arguments.hpp"

#include <cmath>

#include "cuda/buffer.hpp"
#include "engine/call.hpp"

namespace ito::cuda {
namespace {

template <class Real>
std::vector<GridStep<Real>> grid_steps(const ModelShape& shape) {
  std::vector<GridStep<Real>> steps(static_cast<std::size_t>(shape.steps));
  for (int k = 0; k < shape.steps; ++k) {
    const double h = shape.step_size(k);
    steps[static_cast<std::size_t>(k)] = {
        static_cast<Real>(shape.grid[static_cast<std::size_t>(k)]), static_cast<Real>(h),
        static_cast<Real>(std::sqrt(h)), shape.context_steps.empty() ? 0 : interval_of(shape, k)};
  }
  return steps;
}

}  // namespace

template <class Real>
ModelConstants<Real>::ModelConstants(const ModelShape& shape, const std::shared_ptr<Gpu>& gpu)
    : memory_(gpu) {
  Image image;
  const std::size_t at_grid = image.add(grid_steps<Real>(shape));
  const std::size_t at_save = image.add(shape.save);
  const std::size_t at_point =
      image.add(std::vector<Real>(shape.initial_point.begin(), shape.initial_point.end()));
  const std::byte* base = image.upload(*gpu, memory_);
  grid = reinterpret_cast<const GridStep<Real>*>(base + at_grid);
  save = reinterpret_cast<const int*>(base + at_save);
  if (!shape.initial_point.empty()) initial_point = reinterpret_cast<const Real*>(base + at_point);
}

template class ModelConstants<float>;
template class ModelConstants<double>;

}  // namespace ito::cuda
