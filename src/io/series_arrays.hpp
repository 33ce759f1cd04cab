#pragma once

#include <optional>
#include <string_view>

#include <ito/series_file.hpp>

#include "io/array_file.hpp"

namespace ito {

/// The series of a .npy or .npz file as `read_series` reads it; nothing for a file of another kind.
std::optional<SeriesDataset> parse_series_arrays(std::string_view bytes, const ArrayPlace& place,
                                                 const SeriesFormat& format);

}  // namespace ito
