#include <fmt/format.h>

#include <cfloat>
#include <cmath>

#include <ito/dataset.hpp>
#include <ito/error.hpp>

#include "io/array_file.hpp"
#include "io/csv.hpp"
#include "io/dataset_file.hpp"
#include "io/file.hpp"
#include "model/check.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// Bytes of a header that a message repeats.
constexpr std::size_t header_shown = 60;

/// Rows of `width` numbers as sequences of `times` observations.
Dataset rows_to_sequences(std::vector<float> values, std::size_t width, std::size_t times,
                          const std::string& what) {
  if (width % times != 0) {
    throw Error(what, fmt::format("{} columns for {} observation times", width, times),
                fmt::format("a multiple of {} columns", times));
  }
  Dataset data;
  data.count = values.size() / width;
  data.times = times;
  data.dimension = width / times;
  data.values = std::move(values);
  return data;
}

std::vector<float> to_float(const Array& array, const std::string& what) {
  std::vector<float> values;
  values.reserve(array.size());
  with_type(array.type, [&](auto zero) {
    using T = decltype(zero);
    for (const T value : array.values<T>()) {
      const auto wide = static_cast<double>(value);
      if (!(std::abs(wide) <= FLT_MAX)) {
        const std::size_t width = array.size() / array.shape[0];
        throw Error(fmt::format("{}, row {}, number {}", what, values.size() / width + 1,
                                values.size() % width + 1),
                    fmt::format("{}", wide), "finite numbers up to 3.4e38");
      }
      values.push_back(static_cast<float>(value));
    }
  });
  return values;
}

Dataset from_array(const Array& array, std::size_t times, const std::string& what) {
  const auto& shape = array.shape;
  if ((shape.size() != 2 && shape.size() != 3) || array.size() == 0) {
    throw Error(what, "shape " + to_string(shape), "shapes [N, D] and [N, T, D] without a 0");
  }
  if (shape.size() == 2) return rows_to_sequences(to_float(array, what), shape[1], times, what);
  if (times != 1 && times != shape[1]) {
    throw Error(what, fmt::format("shape {} for {} observation times", to_string(shape), times),
                fmt::format("{} in its second place", times));
  }
  return rows_to_sequences(to_float(array, what), shape[1] * shape[2], shape[1], what);
}

}  // namespace

Dataset Dataset::slice(std::size_t begin, std::size_t end) const {
  if (begin > end || end > count) {
    throw Error("rows", fmt::format("[{}, {})", begin, end),
                fmt::format("ranges within [0, {})", count));
  }
  const std::size_t width = checked_product("dimension", {times, dimension});
  if (values.size() != checked_product("count", {count, width})) {
    throw Error("values", fmt::format("{} numbers", values.size()),
                fmt::format("{} × {} × {} (rows × times × numbers)", count, times, dimension));
  }
  const auto rows = std::span(values).subspan(begin * width, (end - begin) * width);
  Dataset part{end - begin, times, dimension, {rows.begin(), rows.end()}};
  if (end > begin && !inputs.empty()) {
    if (inputs.size() % count != 0)
      throw Error("inputs", fmt::format("{} numbers", inputs.size()),
                  fmt::format("none, or as many for each of {} rows", count));
    const std::size_t each = inputs.size() / count;
    const auto own = std::span(inputs).subspan(begin * each, (end - begin) * each);
    part.inputs.assign(own.begin(), own.end());
  }
  if (grids.empty()) return part;
  if (grids.size() != count)
    throw Error("grids", fmt::format("{}", grids.size()), fmt::format("none, or {}", count));
  const auto at = [this](std::size_t row) {
    return grids.begin() + static_cast<std::ptrdiff_t>(row);
  };
  part.grids.assign(at(begin), at(end));
  return part;
}

DatasetFile read_dataset_file(const std::filesystem::path& file, std::size_t times, Header header,
                              const HeaderWords& words) {
  if (times == 0) throw Error("times", "0", "integers from 1 up");
  const ArrayPlace place = array_place(file);
  const std::string bytes = read_file(place.file), what = place.file.string();
  if (const std::optional<Array> array = parse_array(bytes, place, {"y"})) {
    const bool named = !array->name.empty();
    return {from_array(*array, times,
                       named ? fmt::format("{}, array \"{}\"", what, array->name) : what),
            named ? "array " + shortened(array->name, header_shown) : ""};
  }
  refuse_other_kinds(bytes, what, "CSV text, a .npy or .npz file");
  CsvTable table = parse_csv(bytes, what, header, words);
  return {rows_to_sequences(std::move(table.values), table.columns, times, what),
          table.header ? "line 1 is a header: " + shortened(*table.header, header_shown)
                       : "line 1 is data"};
}

Dataset read_dataset(const std::filesystem::path& file, std::size_t times, Header header) {
  return read_dataset_file(file, times, header, {}).data;
}

void write_csv(const std::filesystem::path& file, const std::vector<std::string>& header,
               std::span<const float> values) {
  if (header.empty() || values.size() % header.size() != 0) {
    throw Error(file.string(),
                fmt::format("{} numbers for {} columns", values.size(), header.size()),
                "whole rows");
  }
  AtomicFile out(file);
  for (std::size_t i = 0; i < header.size(); ++i) {
    out.write(quoted_cell(header[i]));
    out.write(i + 1 < header.size() ? "," : "\n");
  }
  fmt::memory_buffer cell;
  for (std::size_t i = 0; i < values.size(); ++i) {
    cell.clear();
    // The shortest digits that read back as the same float.
    fmt::format_to(std::back_inserter(cell), "{}{}", values[i],
                   (i + 1) % header.size() == 0 ? '\n' : ',');
    out.write(std::string_view(cell.data(), cell.size()));
  }
  out.commit();
}

}  // namespace ito
