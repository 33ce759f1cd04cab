#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "io/array.hpp"

namespace ito {

/// How a .npy file stores an element, NumPy's `descr`: "<f4" is a little-endian float of 4 bytes.
struct NpyType {
  char kind = 'f';  ///< 'f', 'i', 'u' or 'b'
  std::size_t size = 4;
  bool big_endian = false;

  /// Without the byte order: "f4".
  std::string name() const { return kind + std::to_string(size); }
};

/// Throws ito::Error naming the types there are. Their numbers all have a place in an Array.
NpyType parse_npy_type(std::string_view descr);

/// The type an Array has such elements in: the same, or the next wider one. Only u8 may round, to
/// f64.
DataType widened_type(const NpyType& type);
/// Elements of that type.
std::vector<std::byte> widened(const NpyType& type, std::string_view bytes);

}  // namespace ito
