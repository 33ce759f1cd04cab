#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <ito/series_file.hpp>

namespace ito {

/// Which columns of a file are values, which inputs, by number.
struct SeriesColumns {
  std::vector<std::size_t> values, inputs;
};

/// The columns `names`, those of series and time not among them, as `format` takes them. Throws
/// ito::Error naming the file `what` where there is none of a name, one is named twice, or no value
/// is left.
SeriesColumns choose_columns(const std::vector<std::string>& names, const SeriesFormat& format,
                             const std::string& what);

/// Leaves excluded columns of values out, and makes inputs of those that `format` calls so, before
/// the inputs that there are.
void rearrange(SeriesDataset& data, const SeriesFormat& format, const std::string& what);

/// "name1", "name2", ...
std::vector<std::string> numbered_names(const char* name, std::size_t count);

/// The times of series of `count` times in a file that has none. Throws ito::Error.
std::vector<double> times_of(const SeriesFormat& format, std::size_t count,
                             const std::string& what);

/// The file's name without folder and ending, as the name of a series.
std::string stem_of(const std::filesystem::path& file);

/// Series from CSV text with a row for each time; messages name `what`.
SeriesDataset parse_long_csv(std::string_view text, const std::string& what,
                             const SeriesFormat& format);

/// And with a row for each series.
SeriesDataset parse_wide_csv(std::string_view text, const std::string& what,
                             const SeriesFormat& format);

}  // namespace ito
