#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <ito/error.hpp>

namespace ito {

/// Element types of the arrays in .npy, .npz and .safetensors files, little-endian.
enum class DataType { f32, f64, i32, i64, u8 };

std::size_t size_of(DataType type);
/// "f32", …
std::string_view name(DataType type);

template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, float>) return DataType::f32;
  if constexpr (std::is_same_v<T, double>) return DataType::f64;
  if constexpr (std::is_same_v<T, std::int32_t>) return DataType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DataType::i64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DataType::u8;
}

/// Calls `function` with a value of the C++ type that `type` names.
template <class Function>
decltype(auto) with_type(DataType type, Function&& function) {
  switch (type) {
    case DataType::f32:
      return function(float{});
    case DataType::f64:
      return function(double{});
    case DataType::i32:
      return function(std::int32_t{});
    case DataType::i64:
      return function(std::int64_t{});
    case DataType::u8:
      break;
  }
  return function(std::uint8_t{});
}

/// Product of `shape` times `element` bytes. Throws ito::Error naming `what` on overflow.
std::size_t bytes_of(std::span<const std::size_t> shape, std::size_t element,
                     const std::string& what);

/// "[2, 3]"
std::string to_string(std::span<const std::size_t> shape);

/// A named array that owns its bytes, row-major. A .npy file has no name inside.
struct Array {
  std::string name;
  DataType type = DataType::f32;
  std::vector<std::size_t> shape;
  std::vector<std::byte> bytes;

  std::size_t size() const { return bytes.size() / size_of(type); }
  /// The elements as they are. Throws ito::Error when the file holds another type.
  template <class T>
  std::vector<T> values() const {
    if (type != data_type_of<T>()) {
      throw Error(name, std::string(ito::name(type)), std::string(ito::name(data_type_of<T>())));
    }
    std::vector<T> result(size());
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
};

/// The same, of someone else's elements.
struct ArrayView {
  std::string name;
  DataType type = DataType::f32;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;

  ArrayView(const Array& array)  // NOLINT: a view of an array is written like the array
      : name(array.name), type(array.type), shape(array.shape), bytes(array.bytes) {}
  /// Throws ito::Error unless `shape` has as many elements as `values`.
  template <class T>
  ArrayView(std::string array_name, std::vector<std::size_t> array_shape, std::span<const T> values)
      : name(std::move(array_name)),
        type(data_type_of<T>()),
        shape(std::move(array_shape)),
        bytes(std::as_bytes(values)) {
    check();
  }

 private:
  void check() const;
};

/// The float32 that is an IEEE 754 binary16 number: all of them are, subnormal ones included.
inline float from_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1Fu, mantissa = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign == 0 ? magnitude : -magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

/// The float32 that is a bfloat16 number: its upper half.
inline float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace ito
