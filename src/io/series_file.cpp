#include <ito/series_file.hpp>

#include <fmt/format.h>

#include <ito/error.hpp>

#include "io/file.hpp"
#include "io/series_arrays.hpp"
#include "io/series_columns.hpp"

namespace ito {
namespace {

SeriesDataset parse_series(std::string_view bytes, const ArrayPlace& place,
                           const SeriesFormat& format) {
  if (std::optional<SeriesDataset> data = parse_series_arrays(bytes, place, format))
    return std::move(*data);
  const std::string what = place.file.string();
  refuse_other_kinds(bytes, what, "CSV text, a .npy or .npz file");
  return format.wide_times > 0 ? parse_wide_csv(bytes, what, format)
                               : parse_long_csv(bytes, what, format);
}

}  // namespace

SeriesDataset read_series(const std::filesystem::path& file, const SeriesFormat& format) {
  const ArrayPlace place = array_place(file);
  SeriesDataset data = parse_series(read_file(place.file), place, format);
  try {
    check_series(data);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", place.file.string(), error.what()));
  }
  return data;
}

}  // namespace ito
