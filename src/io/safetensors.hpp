#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/array.hpp"

namespace ito {

/// The safetensors format (github.com/huggingface/safetensors): 8 bytes of header length, a JSON
/// header of names, types, shapes and places, and the arrays' bytes.
struct SafetensorsFile {
  std::vector<Array> arrays;                    ///< in the order of their bytes
  std::map<std::string, std::string> metadata;  ///< the header's `__metadata__`
};

/// f32, f64, i64 and u8, with unique names. Written aside and renamed. Wider types come first, so
/// that every array is aligned to its type; the order is otherwise kept. Throws ito::Error.
void write_safetensors(const std::filesystem::path& file, std::span<const ArrayView> arrays,
                       const std::map<std::string, std::string>& metadata = {});

/// Those types, and F16 and BF16 as the f32 numbers that they are. Refuses, naming the file: other
/// kinds of files, truncation, arrays that overlap, leave gaps or do not fit their shape, other
/// types, duplicate names, malformed headers. Throws ito::Error.
SafetensorsFile read_safetensors(const std::filesystem::path& file);
/// The same of a file's bytes; its messages name `what`.
SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& what);

}  // namespace ito
