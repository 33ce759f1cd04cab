#include "cuda/model_constants.hpp"

#include <cmath>
#include <cstring>

#include "engine/call.hpp"

namespace ito {
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

/// Several arrays in one block of bytes, each aligned.
class Image {
 public:
  template <class T>
  std::size_t add(const std::vector<T>& values) {
    const std::size_t begin = (bytes_.size() + 63) / 64 * 64;
    bytes_.resize(begin + values.size() * sizeof(T));
    if (!values.empty())
      std::memcpy(bytes_.data() + begin, values.data(), values.size() * sizeof(T));
    return begin;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

template <class Real>
ModelConstants<Real>::ModelConstants(const ModelShape& shape, const KernelLayout& layout,
                                     std::shared_ptr<Gpu> gpu)
    : memory_(gpu) {
  Image image;
  const std::size_t at_grid = image.add(grid_steps<Real>(shape));
  const std::size_t at_save = image.add(shape.save);
  const std::size_t at_point =
      image.add(std::vector<Real>(shape.initial_point.begin(), shape.initial_point.end()));
  const std::size_t at_words = image.add(layout.word_sources);
  const std::size_t at_numbers = image.add(layout.number_sources);
  const std::size_t at_places = image.add(layout.places);
  const auto& bytes = image.bytes();
  const std::byte* base = memory_.reserve(bytes.size());
  gpu->copy(memory_.data(), bytes.data(), bytes.size(), nullptr);
  gpu->synchronize(nullptr);
  grid = reinterpret_cast<const GridStep<Real>*>(base + at_grid);
  save = reinterpret_cast<const int*>(base + at_save);
  if (!shape.initial_point.empty()) initial_point = reinterpret_cast<const Real*>(base + at_point);
  word_sources = reinterpret_cast<const int*>(base + at_words);
  number_sources = reinterpret_cast<const int*>(base + at_numbers);
  places = reinterpret_cast<const int*>(base + at_places);
}

template class ModelConstants<float>;
template class ModelConstants<double>;

}  // namespace ito
