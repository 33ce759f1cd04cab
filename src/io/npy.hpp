#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/array.hpp"

struct zip;  // libzip's, which its header calls zip_t

namespace ito {

// NumPy's formats (numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to
// 3. Floats, integers and booleans of either byte order are read into a DataType that holds them,
// arrays in Fortran order into row-major ones. Everything here throws ito::Error naming the file.

/// Whether a file's first bytes are those of a .npy file.
bool is_npy(std::string_view bytes);

/// The array of a .npy file's bytes; its messages name `what`.
Array parse_npy(std::string_view bytes, const std::string& what);
Array read_npy(const std::filesystem::path& file);
void write_npy(const std::filesystem::path& file, const ArrayView& array);

/// The bytes that come before an array's elements in a .npy file.
std::string npy_header(const ArrayView& array);

/// A .npz file, a zip archive of .npy files, in memory.
class NpzReader {
 public:
  /// `bytes` must outlive it; messages name `what`. Refuses archives that hold anything else.
  NpzReader(std::string_view bytes, std::string what);

  /// Of its arrays, in its order.
  const std::vector<std::string>& names() const { return names_; }
  Array read(std::size_t number) const;

 private:
  std::string what_;
  std::unique_ptr<zip, void (*)(zip*)> archive_;
  std::vector<std::string> names_;
};

/// Whether a file's first bytes are those of a zip archive, as a .npz file is.
bool is_npz(std::string_view bytes);

/// The arrays of a .npz file under their names, in its order.
std::vector<Array> read_npz(const std::filesystem::path& file);
/// Stored, not compressed; the same bytes whenever it is written.
void write_npz(const std::filesystem::path& file, std::span<const ArrayView> arrays);

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
