#include <fmt/format.h>

#include <algorithm>

#include <ito/error.hpp>
#include <ito/parameters.hpp>

#include "model/check.hpp"
#include "model/shape.hpp"

namespace ito {

Parameters::Parameters(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
  std::size_t end = 0;
  for (const Tensor& tensor : tensors_) {
    const std::size_t product = checked_product(tensor.name, tensor.shape);
    if (tensor.offset != end || tensor.size != product) {
      throw Error(
          tensor.name, fmt::format("offset {} and size {}", tensor.offset, tensor.size),
          fmt::format("offset {} and size {}: tensors tile the vector in order", end, product));
    }
    end += tensor.size;
    check_total(end);
  }
  values_.resize(end);
}

const Tensor& Parameters::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &Tensor::name);
  if (found == tensors_.end()) {
    std::string names;
    for (const Tensor& tensor : tensors_) names += (names.empty() ? "" : ", ") + tensor.name;
    throw Error("tensor", fmt::format("\"{}\"", name),
                names.empty() ? "none: there are no tensors" : names);
  }
  return *found;
}

std::span<float> Parameters::operator[](std::string_view name) {
  const Tensor& tensor = find(name);
  return std::span(values_).subspan(tensor.offset, tensor.size);
}

std::span<const float> Parameters::operator[](std::string_view name) const {
  const Tensor& tensor = find(name);
  return std::span(values_).subspan(tensor.offset, tensor.size);
}

Parameters zero_parameters(const Model& model) { return Parameters(resolve(model).tensors); }

}  // namespace ito
