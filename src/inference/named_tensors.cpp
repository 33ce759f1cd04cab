#include "inference/named_tensors.hpp"

#include <ito/error.hpp>

namespace ito {

std::vector<Tensor> named_tensors(std::span<const Tensor> tensors,
                                  std::span<const std::string> names, const char* field) {
  std::vector<Tensor> result;
  for (const std::string& name : names) {
    const std::size_t before = result.size();
    for (const Tensor& tensor : tensors)
      if (tensor.name == name || tensor.name.starts_with(name + ".")) result.push_back(tensor);
    if (result.size() > before) continue;
    std::string known;
    for (const Tensor& tensor : tensors) known += (known.empty() ? "" : ", ") + tensor.name;
    throw Error(field, "\"" + name + "\"", "tensors or parts among " + known);
  }
  return result;
}

}  // namespace ito
