#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

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

void read_tensor(const Array& array, const Tensor& tensor, std::span<float> target) {
  if (array.type != DataType::f32) {
    throw Error(tensor.name, std::string(name(array.type)), "f32");
  }
  if (array.shape != tensor.shape) {
    throw Error(tensor.name, "shape " + to_string(array.shape), "shape " + to_string(tensor.shape));
  }
  if (!array.bytes.empty()) std::memcpy(target.data(), array.bytes.data(), array.bytes.size());
  const auto bad = std::ranges::find_if(target, [](float value) { return !std::isfinite(value); });
  if (bad != target.end()) {
    throw Error(fmt::format("{}, element {}", tensor.name, bad - target.begin()),
                fmt::format("{}", *bad), "finite numbers");
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
