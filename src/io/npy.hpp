#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/array.hpp"

namespace ito {

// NumPy's formats (numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to
// 3, with element types f4, f8, i4, i8 and u1. Arrays in Fortran order are read into row-major
// ones. Everything here throws ito::Error naming the file.

/// Whether a file's first bytes are those of a .npy file.
bool is_npy(std::string_view bytes);

/// The array of a .npy file's bytes; its messages name `what`.
Array parse_npy(std::string_view bytes, const std::string& what);
Array read_npy(const std::filesystem::path& file);
void write_npy(const std::filesystem::path& file, const ArrayView& array);

/// The bytes that come before an array's elements in a .npy file.
std::string npy_header(const ArrayView& array);

/// The arrays of a .npz file under their names, in its order.
std::vector<Array> read_npz(const std::filesystem::path& file);
/// Stored, not compressed; the same bytes whenever it is written.
void write_npz(const std::filesystem::path& file, std::span<const ArrayView> arrays);

}  // namespace ito
