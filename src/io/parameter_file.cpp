#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include <ito/error.hpp>
#include <ito/parameters.hpp>

#include "io/safetensors.hpp"

namespace ito {
namespace {

std::string names_of(std::span<const Tensor> tensors) {
  std::string names;
  for (const Tensor& tensor : tensors) names += (names.empty() ? "" : ", ") + tensor.name;
  return names.empty() ? "no tensors" : names;
}

template <class Number>
void read_numbers(const Array& array, std::span<float> target) {
  const std::vector<Number> values = array.values<Number>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= FLT_MAX)) {
      throw Error(fmt::format("{}, element {}", array.name, i), fmt::format("{}", values[i]),
                  "finite float32 numbers");
    }
    target[i] = static_cast<float>(values[i]);
  }
}

void read_tensor(const Array& array, const Tensor& tensor, std::span<float> target) {
  if (array.shape != tensor.shape) {
    throw Error(tensor.name, "shape " + to_string(array.shape), "shape " + to_string(tensor.shape));
  }
  if (array.type == DataType::f32) {
    read_numbers<float>(array, target);
  } else if (array.type == DataType::f64) {
    read_numbers<double>(array, target);
  } else {
    throw Error(tensor.name, std::string(name(array.type)), "f32, f64, f16 or bf16");
  }
}

void read_tensors(const SafetensorsFile& file, Parameters& parameters) {
  for (const Array& array : file.arrays) {
    if (std::ranges::find(parameters.tensors(), array.name, &Tensor::name) ==
        parameters.tensors().end()) {
      throw Error("tensor", fmt::format("\"{}\", which the model does not have", array.name),
                  names_of(parameters.tensors()));
    }
  }
  for (const Tensor& tensor : parameters.tensors()) {
    const auto array = std::ranges::find(file.arrays, tensor.name, &Array::name);
    if (array == file.arrays.end()) {
      throw Error(tensor.name, "no such tensor in the file",
                  "all of the model's: " + names_of(parameters.tensors()));
    }
    read_tensor(*array, tensor, parameters.values().subspan(tensor.offset, tensor.size));
  }
}

}  // namespace

void save_safetensors(const Parameters& parameters, const std::filesystem::path& file) {
  std::vector<ArrayView> arrays;
  for (const Tensor& tensor : parameters.tensors()) {
    arrays.emplace_back(tensor.name, tensor.shape,
                        parameters.values().subspan(tensor.offset, tensor.size));
  }
  write_safetensors(file, arrays);
}

Parameters load_safetensors(const Parameters& layout, const std::filesystem::path& file) {
  const SafetensorsFile contents = read_safetensors(file);
  const auto tensors = layout.tensors();
  Parameters parameters(std::vector<Tensor>(tensors.begin(), tensors.end()));
  try {
    read_tensors(contents, parameters);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", file.string(), error.what()));
  }
  return parameters;
}

}  // namespace ito
