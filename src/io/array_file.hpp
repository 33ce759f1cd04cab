#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/array.hpp"

namespace ito {

/// Where an array is: a file, and of an .npz the name of one of its arrays, from "FILE.npz:NAME".
struct ArrayPlace {
  std::filesystem::path file;
  std::string name;  ///< empty: none was given
};
/// A file that is there under the whole text is that file.
ArrayPlace array_place(const std::filesystem::path& text);

/// Which of the arrays `found` in a .npz file: the one asked for, the only one, or the first of
/// `names`. Throws ito::Error naming the file and the arrays.
std::size_t choose_array(const std::vector<std::string>& found, const ArrayPlace& place,
                         const std::vector<std::string_view>& names);

/// The array of a .npy file, or the one of a .npz file that `choose_array` chooses. Nothing for a
/// file of another kind. Throws ito::Error naming the file and, where none of its arrays is meant,
/// their names.
std::optional<Array> parse_array(std::string_view bytes, const ArrayPlace& place,
                                 const std::vector<std::string_view>& names);

/// The same of a file that must hold arrays, given as "FILE" or "FILE.npz:NAME".
Array read_array(const std::filesystem::path& text, const std::vector<std::string_view>& names);

}  // namespace ito
