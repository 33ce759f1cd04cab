#include "io/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "io/array.hpp"
#include "io/file.hpp"
#include "model/json_reader.hpp"

namespace ito {
namespace {

constexpr std::size_t prefix_size = 8;
/// The reference implementation's limit.
constexpr std::uint64_t header_limit = 100'000'000;
constexpr const char* metadata_key = "__metadata__";

/// An element type of the format: the type an Array has such elements in, which holds all of them,
/// and where that is another one the conversion.
struct StoredType {
  std::string_view name;
  std::size_t size;
  DataType type;
  float (*convert)(std::uint16_t) = nullptr;
};
constexpr std::array<StoredType, 6> types{{{"F32", 4, DataType::f32},
                                           {"F64", 8, DataType::f64},
                                           {"I64", 8, DataType::i64},
                                           {"U8", 1, DataType::u8},
                                           {"F16", 2, DataType::f32, from_half},
                                           {"BF16", 2, DataType::f32, from_bfloat16}}};

std::string_view type_name(const ArrayView& array) {
  const auto found = std::ranges::find(types, array.type, &StoredType::type);
  if (found == types.end()) {
    throw Error(array.name, std::string(name(array.type)), "f32, f64, i64 or u8 in safetensors");
  }
  return found->name;
}

const StoredType& parse_type(const JsonReader& reader) {
  const std::string text = reader.text();
  const auto found = std::ranges::find(types, text, &StoredType::name);
  // Integers are only in files of another use than the one that a reader of them may have.
  if (found == types.end()) reader.refuse("\"F32\", \"F64\", \"F16\" or \"BF16\"");
  return *found;
}

std::vector<std::size_t> parse_sizes(const JsonReader& reader) {
  if (!reader.value().is_array()) reader.refuse("an array of integers from 0 up");
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < reader.value().size(); ++i) {
    const JsonReader entry = reader.at(i);
    if (!entry.value().is_number_unsigned()) entry.refuse("integers from 0 up");
    sizes.push_back(entry.value().get<std::size_t>());
  }
  return sizes;
}

/// An array's entry of the header.
struct TensorEntry {
  Array array;
  const StoredType* stored = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;
};

TensorEntry parse_entry(const JsonReader& reader, const std::string& array_name) {
  reader.accept({"dtype", "shape", "data_offsets"});
  TensorEntry entry;
  entry.array.name = array_name;
  entry.stored = &parse_type(reader.at("dtype"));
  entry.array.type = entry.stored->type;
  entry.array.shape = parse_sizes(reader.at("shape"));
  const JsonReader offsets = reader.at("data_offsets");
  const auto places = parse_sizes(offsets);
  if (places.size() != 2 || places[0] > places[1]) offsets.refuse("a begin and an end");
  entry.begin = places[0];
  entry.end = places[1];
  const std::size_t bytes = bytes_of(entry.array.shape, entry.stored->size, reader.field());
  if (entry.end - entry.begin != bytes) {
    throw Error(offsets.field(), fmt::format("{} bytes", entry.end - entry.begin),
                fmt::format("{} bytes for shape {}", bytes, to_string(entry.array.shape)));
  }
  return entry;
}

/// The header's entries in the order of their bytes, which must fill [0, data_size) exactly.
std::vector<TensorEntry> parse_header(const nlohmann::json& header, std::size_t data_size,
                                      std::map<std::string, std::string>& metadata) {
  const JsonReader document(header, "");
  if (!header.is_object()) document.refuse("a JSON object");
  std::vector<TensorEntry> entries;
  for (const auto& [key, value] : header.items()) {
    const JsonReader reader(value, key);
    if (key != metadata_key) {
      entries.push_back(parse_entry(reader, key));
      continue;
    }
    if (!value.is_object()) reader.refuse("an object of strings");
    for (const auto& [name, text] : value.items()) metadata[name] = reader.at(name).text();
  }
  // The end breaks the tie of an empty array and the one that begins at the same place.
  std::ranges::sort(entries, {}, [](const TensorEntry& e) { return std::pair(e.begin, e.end); });
  std::size_t end = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != end) {
      throw Error(entry.array.name + ".data_offsets", fmt::format("a begin of {}", entry.begin),
                  fmt::format("{}, where the array before ends", end));
    }
    end = entry.end;
  }
  if (end != data_size) {
    throw Error("data", fmt::format("{} bytes", data_size),
                fmt::format("{} bytes, the end of the last array{}", end,
                            data_size < end ? " (the file is truncated)" : ""));
  }
  return entries;
}

std::string dump(const nlohmann::ordered_json& header, const std::filesystem::path& file) {
  try {
    return header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw Error(file.string(), "a name or metadata that is not UTF-8", "UTF-8 text");
  }
}

/// The elements of an entry from the bytes it has in the file.
std::vector<std::byte> elements(const StoredType& stored, std::span<const std::byte> bytes) {
  if (stored.convert == nullptr) return {bytes.begin(), bytes.end()};
  std::vector<std::byte> result(bytes.size() / stored.size * sizeof(float));
  for (std::size_t i = 0; i < bytes.size() / stored.size; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
    const float value = stored.convert(half);
    std::memcpy(result.data() + i * sizeof value, &value, sizeof value);
  }
  return result;
}

/// Takes the header's text off the front of `bytes`.
std::string_view take_json(std::string_view& bytes) {
  constexpr const char* accepted = "a safetensors file";
  std::uint64_t size = 0;
  if (bytes.size() <= prefix_size || bytes[prefix_size] != '{') {
    // Its first eight bytes are no length, and to tell one would say nothing of what is wrong.
    refuse_other_kinds(bytes, "file", accepted);
    throw Error("file", fmt::format("{} bytes of another kind", bytes.size()), accepted);
  }
  std::memcpy(&size, bytes.data(), prefix_size);
  bytes.remove_prefix(prefix_size);
  if (size > header_limit || size > bytes.size()) {
    throw Error("header", fmt::format("a length of {} with {} bytes left", size, bytes.size()),
                "a safetensors file that is not truncated");
  }
  const std::string_view header = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return header;
}

SafetensorsFile parse_tensors(std::string_view bytes) {
  const nlohmann::json header = parse_json(take_json(bytes), "header");

  SafetensorsFile result;
  for (TensorEntry& entry : parse_header(header, bytes.size(), result.metadata)) {
    const auto part = std::as_bytes(std::span(bytes.substr(entry.begin, entry.end - entry.begin)));
    entry.array.bytes = elements(*entry.stored, part);
    result.arrays.push_back(std::move(entry.array));
  }
  return result;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, std::span<const ArrayView> arrays,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const ArrayView*> order;
  for (const ArrayView& array : arrays) order.push_back(&array);
  std::ranges::stable_sort(order, std::greater(), [](const auto* a) { return size_of(a->type); });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  std::set<std::string> names{metadata_key};
  std::size_t end = 0;
  for (const ArrayView* array : order) {
    if (!names.insert(array->name).second) {
      throw Error(file.string(), fmt::format("two arrays called \"{}\"", array->name),
                  "different names");
    }
    const std::size_t begin = end;
    end += array->bytes.size();
    header[array->name] = {
        {"dtype", type_name(*array)}, {"shape", array->shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = dump(header, file);
  text.append((prefix_size - text.size() % prefix_size) % prefix_size, ' ');

  const std::uint64_t length = text.size();
  AtomicFile out(file);
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(text);
  for (const ArrayView* array : order) out.write(array->bytes);
  out.commit();
}

SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& what) {
  try {
    return parse_tensors(bytes);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", what, error.what()));
  }
}

SafetensorsFile read_safetensors(const std::filesystem::path& file) {
  return parse_safetensors(read_file(file), file.string());
}

}  // namespace ito
