#pragma once

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

}  // namespace ito
