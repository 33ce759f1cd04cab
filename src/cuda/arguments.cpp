#include "cuda/arguments.hpp"

#include "cuda/buffer.hpp"
#include "engine/grid.hpp"

namespace ito::cuda {
template <class Real>
ModelConstants<Real>::ModelConstants(const ModelShape& shape, const std::shared_ptr<Gpu>& gpu)
    : memory_(gpu) {
  Image image;
  const std::size_t at_grid = image.add(grid_steps<Real>(shape));
  const std::size_t at_save = image.add(shape.save);
  const std::size_t at_point =
      image.add(std::vector<Real>(shape.initial_point.begin(), shape.initial_point.end()));
  const std::byte* base = image.upload(*gpu, memory_);
  grid = device_steps(reinterpret_cast<const BasicGridStep<Real>*>(base + at_grid));
  save = reinterpret_cast<const int*>(base + at_save);
  if (!shape.initial_point.empty()) initial_point = reinterpret_cast<const Real*>(base + at_point);
}

template class ModelConstants<float>;
template class ModelConstants<double>;

}  // namespace ito::cuda
