#include "io/series_arrays.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "io/npy.hpp"
#include "io/series_columns.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

using Shape = std::vector<std::size_t>;

constexpr std::array<std::string_view, 6> beside_y{"times",  "mask",    "inputs",
                                                   "series", "columns", "input_columns"};

template <class Real>
std::vector<Real> numbers_of(const Array& array) {
  std::vector<Real> numbers;
  numbers.reserve(array.size());
  with_type(array.type, [&](auto zero) {
    for (const auto value : array.values<decltype(zero)>()) {
      // What no float holds becomes infinite, to be refused by its place.
      const auto wide = static_cast<double>(value);
      const bool holds = !(std::abs(wide) > std::numeric_limits<Real>::max());
      numbers.push_back(holds ? static_cast<Real>(value)
                              : std::copysign(std::numeric_limits<Real>::infinity(),
                                              static_cast<Real>(wide > 0 ? 1 : -1)));
    }
  });
  return numbers;
}

/// Names in bytes of UTF-8, one a line.
std::vector<std::string> lines_of(const Array& array) {
  std::vector<std::string> lines(1);
  for (const std::uint8_t byte : array.values<std::uint8_t>()) {
    if (byte == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(byte);
    }
  }
  return lines;
}

/// Series of as many times each, in arrays.
class SeriesArrays {
 public:
  SeriesArrays(const Array& y, const std::string& what, const std::string& where) : what_(what) {
    if (y.shape.size() != 3 || y.size() == 0)
      throw Error(where, "shape " + to_string(y.shape), "shapes [N, T, D] without a 0");
    count_ = y.shape[0];
    times_ = y.shape[1];
    width_ = y.shape[2];
    values_ = numbers_of<float>(y);
    data_.columns = numbered_names("y", width_);
    names_ = numbered_names("", count_);
  }

  void add(const Array& array) {
    const std::string& name = array.name;
    if (name == "times") {
      accept(array, {{times_}, {count_, times_}});
      instants_ = numbers_of<double>(array);
    } else if (name == "mask") {
      accept(array, {{count_, times_, width_}, {count_, times_}});
      apply_mask(array);
    } else if (name == "inputs") {
      accept(array, {{count_, times_, array.shape.empty() ? 0 : array.shape.back()}});
      inputs_ = numbers_of<float>(array);
      if (data_.input_columns.empty())
        data_.input_columns = numbered_names("u", array.shape.back());
    } else {
      std::vector<std::string>& names = name == "series"    ? names_
                                        : name == "columns" ? data_.columns
                                                            : data_.input_columns;
      if (array.type != DataType::u8)
        throw Error(place(name), std::string(ito::name(array.type)), "bytes of UTF-8 text (u1)");
      names = lines_of(array);
    }
  }

  SeriesDataset series(const SeriesFormat& format) {
    check_names("series", names_.size(), count_);
    check_names("columns", data_.columns.size(), width_);
    check_names("input_columns", data_.input_columns.size(), inputs_.size() / (count_ * times_));
    if (instants_.empty()) instants_ = times_of(format, times_, what_);
    for (std::size_t i = 0; i < count_; ++i) data_.series.push_back(one(i));
    return std::move(data_);
  }

 private:
  void accept(const Array& array, const std::vector<Shape>& shapes) const {
    if (std::ranges::find(shapes, array.shape) != shapes.end() && array.size() > 0) return;
    std::vector<std::string> texts;
    for (const Shape& shape : shapes) texts.push_back(to_string(shape));
    throw Error(place(array.name), "shape " + to_string(array.shape),
                fmt::format("shape {} beside y of shape {}", fmt::join(texts, " or "),
                            to_string(Shape{count_, times_, width_})));
  }

  void check_names(const char* array, std::size_t got, std::size_t wanted) const {
    if (got != wanted)
      throw Error(place(array), fmt::format("{} names", got),
                  fmt::format("{}, each a line", wanted));
  }

  void apply_mask(const Array& array) {
    const std::vector<double> mask = numbers_of<double>(array);
    const std::size_t each = values_.size() / mask.size();
    for (std::size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0 && mask[i] != 1)
        throw Error(fmt::format("{}, series {}, time {}", place("mask"),
                                i * each / width_ / times_ + 1, i * each / width_ % times_ + 1),
                    fmt::format("{}", mask[i]), "0 (missing) and 1");
      if (mask[i] == 0)
        std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(i * each), each,
                    std::numeric_limits<float>::quiet_NaN());
    }
  }

  /// Row i without the padding at its end.
  Series one(std::size_t i) const {
    const std::size_t first = instants_.size() == times_ && count_ > 1 ? 0 : i * times_;
    const auto row = [i, this](const std::vector<float>& numbers) {
      const std::size_t size = numbers.size() / count_;
      return std::span(numbers).subspan(i * size, size);
    };
    const auto values = row(values_), inputs = row(inputs_);
    std::size_t length = times_;
    const auto is_padding = [&](std::size_t time) {
      return std::isnan(instants_[first + time]) &&
             std::ranges::all_of(values.subspan(time * width_, width_),
                                 [](float value) { return std::isnan(value); });
    };
    while (length > 0 && is_padding(length - 1)) --length;
    const auto kept = [&](std::span<const float> numbers) {
      const auto part = numbers.first(numbers.size() / times_ * length);
      return std::vector<float>(part.begin(), part.end());
    };
    const auto times = std::span(instants_).subspan(first, length);
    return {.name = names_[i],
            .times = {times.begin(), times.end()},
            .values = kept(values),
            .inputs = kept(inputs)};
  }

  std::string place(std::string_view array) const {
    return fmt::format("{}, array \"{}\"", what_, array);
  }

  const std::string& what_;
  std::size_t count_ = 0, times_ = 0, width_ = 0;
  std::vector<float> values_, inputs_;
  std::vector<double> instants_;  ///< [T] or [N, T]; empty: the file has none
  std::vector<std::string> names_;
  SeriesDataset data_;
};

SeriesDataset read_arrays(std::string_view bytes, const ArrayPlace& place,
                          const SeriesFormat& format) {
  const std::string what = place.file.string();
  const NpzReader reader(bytes, what);
  const std::vector<std::string>& names = reader.names();
  const std::size_t y = choose_array(names, place, {"y"});
  SeriesArrays arrays(reader.read(y), what,
                      fmt::format("{}, array \"{}\"", what, shortened(names[y], 60)));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == y) continue;
    const bool known = std::ranges::find(beside_y, names[i]) != beside_y.end();
    if (known) {
      arrays.add(reader.read(i));
    } else if (place.name.empty()) {
      throw Error(
          what, fmt::format("an array \"{}\" beside y", shortened(names[i], 60)),
          fmt::format("{} beside it; {}:y leaves others out", fmt::join(beside_y, ", "), what));
    }
  }
  return arrays.series(format);
}

}  // namespace

std::optional<SeriesDataset> parse_series_arrays(std::string_view bytes, const ArrayPlace& place,
                                                 const SeriesFormat& format) {
  const std::string what = place.file.string();
  SeriesDataset data;
  if (is_npz(bytes)) {
    data = read_arrays(bytes, place, format);
  } else if (const std::optional<Array> array = parse_array(bytes, place, {})) {
    data = SeriesArrays(*array, what, what).series(format);
  } else {
    return std::nullopt;
  }
  rearrange(data, format, what);
  return data;
}

}  // namespace ito
