#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include <ito/series.hpp>

namespace ito {

/// What rules on the interval that ends at each of a series' times, [slots, U], of its inputs
/// [T, U] at those times: inputs rule from the time at which they are seen to the next, those of
/// the first before it too. Zeros beyond T, where nothing is ruled.
inline std::vector<float> ruling_inputs(std::span<const float> inputs, std::size_t width,
                                        std::size_t slots) {
  std::vector<float> rows(slots * width);
  const std::size_t times = width > 0 ? inputs.size() / width : 0;
  for (std::size_t i = 0; i < times; ++i)
    std::ranges::copy(inputs.subspan((i > 0 ? i - 1 : 0) * width, width),
                      rows.begin() + static_cast<std::ptrdiff_t>(i * width));
  return rows;
}

/// The inputs that rule at `times`, which increase, [T, U]: those seen last, or the first.
inline std::vector<float> held_inputs(const Series& series, std::span<const double> times,
                                      std::size_t width) {
  std::vector<float> rows;
  std::size_t seen = 0;
  for (const double time : times) {
    while (seen + 1 < series.length() && series.times[seen + 1] <= time) ++seen;
    const auto ruling = std::span(series.inputs).subspan(seen * width, width);
    rows.insert(rows.end(), ruling.begin(), ruling.end());
  }
  return rows;
}

/// Each series at those times and, up to the last of them, at its own at which inputs change, with
/// what rules there.
inline SeriesDataset with_input_times(const SeriesDataset& data, const SeriesDataset& seen,
                                      const std::vector<double>& times) {
  SeriesDataset later{data.columns, data.input_columns, {}};
  for (std::size_t r = 0; r < data.count(); ++r) {
    const Series& whole = data.series[r];
    Series& one = later.series.emplace_back(Series{.name = whole.name, .times = times});
    if (data.input_dimension() == 0) continue;
    const auto first = std::ranges::upper_bound(whole.times, seen.series[r].times.back()),
               last = std::ranges::upper_bound(whole.times, times.back());
    one.times.clear();
    std::set_union(times.begin(), times.end(), first, std::max(first, last),
                   std::back_inserter(one.times));
    one.inputs = held_inputs(whole, one.times, data.input_dimension());
  }
  return later;
}

}  // namespace ito
