#include "io/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "io/array.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

using Bytes = std::vector<std::byte>;

template <class Stored, class Target, class Convert>
Bytes convert(std::string_view bytes, bool big_endian, Convert convert_one) {
  const std::size_t count = bytes.size() / sizeof(Stored);
  Bytes result(count * sizeof(Target));
  for (std::size_t i = 0; i < count; ++i) {
    std::array<char, sizeof(Stored)> element;
    std::memcpy(element.data(), bytes.data() + i * sizeof(Stored), sizeof(Stored));
    if (big_endian) std::ranges::reverse(element);
    Stored stored;
    std::memcpy(&stored, element.data(), sizeof(Stored));
    const Target target = convert_one(stored);
    std::memcpy(result.data() + i * sizeof(Target), &target, sizeof(Target));
  }
  return result;
}

template <class Stored, class Target>
Bytes cast(std::string_view bytes, bool big_endian) {
  return convert<Stored, Target>(bytes, big_endian,
                                 [](Stored value) { return static_cast<Target>(value); });
}

Bytes from_halves(std::string_view bytes, bool big_endian) {
  return convert<std::uint16_t, float>(bytes, big_endian, from_half);
}

Bytes from_booleans(std::string_view bytes, bool) {
  return convert<std::uint8_t, std::uint8_t>(
      bytes, false, [](std::uint8_t value) { return static_cast<std::uint8_t>(value != 0); });
}

struct Conversion {
  std::string_view name;
  DataType target;
  Bytes (*convert)(std::string_view bytes, bool big_endian);
};
constexpr std::array<Conversion, 12> conversions{
    {{"f2", DataType::f32, from_halves},
     {"f4", DataType::f32, cast<float, float>},
     {"f8", DataType::f64, cast<double, double>},
     {"i1", DataType::i32, cast<std::int8_t, std::int32_t>},
     {"i2", DataType::i32, cast<std::int16_t, std::int32_t>},
     {"i4", DataType::i32, cast<std::int32_t, std::int32_t>},
     {"i8", DataType::i64, cast<std::int64_t, std::int64_t>},
     {"u1", DataType::u8, cast<std::uint8_t, std::uint8_t>},
     {"u2", DataType::i32, cast<std::uint16_t, std::int32_t>},
     {"u4", DataType::i64, cast<std::uint32_t, std::int64_t>},
     {"u8", DataType::f64, cast<std::uint64_t, double>},
     {"b1", DataType::u8, from_booleans}}};

const Conversion& conversion(std::string_view name) {
  return *std::ranges::find(conversions, name, &Conversion::name);
}

}  // namespace

NpyType parse_npy_type(std::string_view descr) {
  const std::string_view name = descr.substr(std::min<std::size_t>(descr.size(), 1));
  const auto found = std::ranges::find(conversions, name, &Conversion::name);
  const std::string_view orders = name.ends_with('1') ? "<>=|" : "<>=";
  if (found == conversions.end() || orders.find(descr.front()) == std::string_view::npos) {
    throw Error("descr", descr == "|O" ? "|O, Python objects" : shortened(descr, 40),
                "f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1, of either byte order");
  }
  return {name[0], static_cast<std::size_t>(name[1] - '0'), descr.front() == '>'};
}

DataType widened_type(const NpyType& type) { return conversion(type.name()).target; }

Bytes widened(const NpyType& type, std::string_view bytes) {
  return conversion(type.name()).convert(bytes, type.big_endian);
}

}  // namespace ito
