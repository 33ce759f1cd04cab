#include "cli/path_arrays.hpp"

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "io/array_file.hpp"

namespace ito::cli {
namespace {

Array read(const std::string& option, const std::string& file,
           const std::vector<std::string_view>& names) {
  try {
    return read_array(file, names);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", option, error.what()));
  }
}

[[noreturn]] void refuse_shape(const std::string& option, const Array& array,
                               const std::string& accepted) {
  throw Error(option, "shape " + to_string(array.shape), accepted);
}

/// The numbers as they are. Refuses one that is not finite as a Real; rows are along the last axis.
template <class Real>
PathArray<Real> converted(const std::string& option, const std::string& file, Array array) {
  const std::size_t width = array.shape.back();
  PathArray<Real> result{.shape = std::move(array.shape), .values = {}};
  result.values.reserve(array.size());
  with_type(array.type, [&](auto element) {
    for (const auto value : array.values<decltype(element)>()) {
      const auto wide = static_cast<double>(value);
      if (!(std::abs(wide) <= static_cast<double>(std::numeric_limits<Real>::max()))) {
        const std::size_t place = result.values.size();
        throw Error(fmt::format("{}: {}, row {}, column {}", option, file, place / width + 1,
                                place % width + 1),
                    fmt::format("{}", wide),
                    fmt::format("finite numbers up to {:.1e}",
                                static_cast<double>(std::numeric_limits<Real>::max())));
      }
      result.values.push_back(static_cast<Real>(value));
    }
  });
  return result;
}

/// Of states [paths, saves, state] those at the last save, [paths, state].
Array last_save(const Array& x) {
  const std::size_t saves = x.shape[1], row = x.shape[2] * size_of(x.type);
  Array result{.name = x.name, .type = x.type, .shape = {x.shape[0], x.shape[2]}, .bytes = {}};
  for (std::size_t path = 0; path < x.shape[0]; ++path) {
    const auto begin =
        x.bytes.begin() + static_cast<std::ptrdiff_t>((path * saves + saves - 1) * row);
    result.bytes.insert(result.bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(row));
  }
  return result;
}

}  // namespace

template <class Real>
PathArray<Real> read_x0(const std::string& file, std::size_t state) {
  const std::string option = "--x0";
  Array array = read(option, file, {"x0", "x"});
  const bool simulated = array.name == "x" && array.shape.size() == 3;
  const bool fits = simulated || array.shape.size() == 1 || array.shape.size() == 2;
  // Transposed states would pass a check of their number.
  if (!fits || array.size() == 0 || array.shape.back() != state) {
    refuse_shape(option, array,
                 fmt::format("[paths, {0}] or [{0}], or x [paths, saves, {0}] of a .npz file that "
                             "`ito simulate` wrote",
                             state));
  }
  return converted<Real>(option, file, simulated ? last_save(array) : std::move(array));
}

template <class Real>
PathArray<Real> read_context(const std::string& file, std::size_t size) {
  const std::string option = "--context";
  Array array = read(option, file, {"context"});
  if (array.shape.empty() || array.shape.back() != size)
    refuse_shape(option, array, fmt::format("an array whose last axis has {} numbers", size));
  return converted<Real>(option, file, std::move(array));
}

template PathArray<float> read_x0(const std::string&, std::size_t);
template PathArray<double> read_x0(const std::string&, std::size_t);
template PathArray<float> read_context(const std::string&, std::size_t);
template PathArray<double> read_context(const std::string&, std::size_t);

}  // namespace ito::cli
