#include "io/npy.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

#include "io/file.hpp"

namespace ito {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
/// NumPy pads headers so that the elements begin at a multiple of this.
constexpr std::size_t alignment = 64;
constexpr std::size_t axes_limit = 64;

struct ArrayHeader {
  std::optional<NpyType> type;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::size_t>> shape;
};

/// Reads the header, a Python literal such as
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  ArrayHeader parse() {
    ArrayHeader header;
    expect('{');
    while (!take('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !header.type) {
        header.type = type();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = shape();
      } else {
        throw Error("header", fmt::format("a key of {} letters", key.size()),
                    "descr, fortran_order and shape, once each");
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty() || !header.type || !header.fortran_order || !header.shape) malformed();
    return header;
  }

 private:
  [[noreturn]] static void malformed() {
    throw Error("header", "malformed text", "{'descr': ..., 'fortran_order': ..., 'shape': ...}");
  }
  void skip_space() {
    const auto end = rest_.find_first_not_of(" \n");
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
  }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) malformed();
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view string() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const auto end = rest_.find(quote);
    if (end == std::string_view::npos) malformed();
    const auto text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  NpyType type() {
    skip_space();
    // A structured type is a list, not a string.
    const bool simple = rest_.starts_with('\'') || rest_.starts_with('"');
    return parse_npy_type(simple ? string() : std::string_view("structured"));
  }
  bool boolean() {
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    malformed();
  }
  std::size_t integer() {
    skip_space();
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) malformed();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  std::vector<std::size_t> shape() {
    std::vector<std::size_t> lengths;
    expect('(');
    while (!take(')')) {
      if (lengths.size() == axes_limit) malformed();
      lengths.push_back(integer());
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return lengths;
  }

  std::string_view rest_;
};

/// Takes the header's text off the front of `bytes`.
std::string_view take_header(std::string_view& bytes) {
  const auto truncated = [] { throw Error("file", "too few bytes", "a .npy file not truncated"); };
  if (!is_npy(bytes)) {
    const auto kind = file_kind(bytes);
    throw Error("file", kind ? std::string(kind->name) : "other first bytes", "a .npy file");
  }
  bytes.remove_prefix(magic.size());
  if (bytes.size() < 2) truncated();
  const int version = static_cast<unsigned char>(bytes[0]);
  if (version < 1 || version > 3) {
    throw Error("format version", fmt::format("{}", version), "1, 2 and 3");
  }
  bytes.remove_prefix(2);
  const std::size_t length_size = version == 1 ? 2 : 4;
  if (bytes.size() < length_size) truncated();
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), length_size);
  bytes.remove_prefix(length_size);
  if (bytes.size() < length) truncated();
  const auto text = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return text;
}

/// Elements in Fortran order (first index fastest) to row-major (last index fastest).
std::string to_row_major(std::string_view bytes, const std::vector<std::size_t>& shape,
                         std::size_t element) {
  std::string result(bytes.size(), '\0');
  std::vector<std::size_t> index(shape.size(), 0);
  for (std::size_t source = 0; source < bytes.size(); source += element) {
    std::size_t target = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      target = target * shape[axis] + index[axis];
    }
    std::memcpy(result.data() + target * element, bytes.data() + source, element);
    for (std::size_t axis = 0; axis < shape.size() && ++index[axis] == shape[axis]; ++axis) {
      index[axis] = 0;
    }
  }
  return result;
}

Array parse(std::string_view bytes) {
  ArrayHeader header = HeaderParser(take_header(bytes)).parse();
  const NpyType type = *header.type;
  Array array;
  array.type = widened_type(type);
  array.shape = std::move(*header.shape);
  const std::size_t expected = bytes_of(array.shape, type.size, "shape");
  if (bytes.size() != expected) {
    throw Error(
        "data", fmt::format("{} bytes", bytes.size()),
        fmt::format("{} bytes for {} of shape {}", expected, type.name(), to_string(array.shape)));
  }
  array.bytes = *header.fortran_order && array.shape.size() > 1
                    ? widened(type, to_row_major(bytes, array.shape, type.size))
                    : widened(type, bytes);
  return array;
}

std::string_view descr(DataType type) {
  switch (type) {
    case DataType::f32:
      return "<f4";
    case DataType::f64:
      return "<f8";
    case DataType::i32:
      return "<i4";
    case DataType::i64:
      return "<i8";
    case DataType::u8:
      break;
  }
  return "|u1";
}

}  // namespace

bool is_npy(std::string_view bytes) { return bytes.starts_with(magic); }

std::string npy_header(const ArrayView& array) {
  std::string shape;
  for (const std::size_t length : array.shape) shape += fmt::format("{}, ", length);
  // (3,) but (3, 4)
  if (array.shape.size() == 1) shape.pop_back();
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 descr(array.type), shape);
  const std::size_t prefix = magic.size() + 4;
  const std::size_t unpadded = prefix + text.size() + 1;
  text.append((alignment - unpadded % alignment) % alignment, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  std::string header(magic);
  header += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  return header + text;
}

Array parse_npy(std::string_view bytes, const std::string& what) {
  try {
    return parse(bytes);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", what, error.what()));
  }
}

Array read_npy(const std::filesystem::path& file) {
  return parse_npy(read_file(file), file.string());
}

void write_npy(const std::filesystem::path& file, const ArrayView& array) {
  AtomicFile out(file);
  out.write(npy_header(array));
  out.write(array.bytes);
  out.commit();
}

}  // namespace ito
