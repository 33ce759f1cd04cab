#pragma once

#include <cstddef>
#include <span>

#include <ito/sample.hpp>
#include <ito/series.hpp>
#include <ito/series_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// Draws `count` series from the model, all at `times`, with nothing missing: prior paths from X_0
/// at SeriesModel::start, or at the first time, through decoder and likelihood; the numbers are of
/// y before its standardization. Series are called 1, 2, …, and columns as in the model, or y1, y2,
/// … Series i is a function of (seed, i) and of its
/// inputs, options.inputs [count, T, U] at the times, where the model takes some. `times` increase
/// and do not begin before the start. Throws ito::Error on other times and where `validated` and
/// `sample` do.
SeriesDataset sample_series(const SeriesModel& model, std::span<const float> parameters,
                            std::span<const double> times, std::size_t count,
                            const SampleOptions& options = {});
/// A series like each of those: at its times, under its inputs and of its name, of which nothing
/// else is read, and with nothing missing. `options.inputs` stays empty. Throws ito::Error where
/// `latent_series` and `sample` do.
SeriesDataset sample_series(const SeriesModel& model, std::span<const float> parameters,
                            const SeriesDataset& like, const SampleOptions& options = {});

}  // namespace ito
#pragma GCC visibility pop
