#include "io/array.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "model/check.hpp"

namespace ito {

static_assert(std::endian::native == std::endian::little,
              "the file formats are little-endian and read without conversion");

std::size_t size_of(DataType type) {
  return with_type(type, [](auto zero) { return sizeof(zero); });
}

std::string_view name(DataType type) {
  switch (type) {
    case DataType::f32:
      return "f32";
    case DataType::f64:
      return "f64";
    case DataType::i32:
      return "i32";
    case DataType::i64:
      return "i64";
    case DataType::u8:
      break;
  }
  return "u8";
}

std::string to_string(std::span<const std::size_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::size_t bytes_of(std::span<const std::size_t> shape, std::size_t element,
                     const std::string& what) {
  std::vector<std::size_t> sizes(shape.begin(), shape.end());
  sizes.push_back(element);
  const auto bytes = product_of(sizes);
  if (!bytes) throw Error(what, "shape " + to_string(shape), "shapes that fit in memory");
  return *bytes;
}

void ArrayView::check() const {
  if (bytes_of(shape, size_of(type), name) != bytes.size()) {
    throw Error(name, fmt::format("{} elements", bytes.size() / size_of(type)),
                "as many as shape " + to_string(shape) + " has");
  }
}

}  // namespace ito
