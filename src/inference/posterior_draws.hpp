#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <ito/series_model.hpp>

#include "inference/latent_paths.hpp"
#include "inference/series_paths.hpp"

namespace ito {

/// S indices drawn by S weights: of equally spaced points, the first `uniform` of a spacing on, the
/// shares that each weight covers (systematic resampling: Kitagawa 1996).
std::vector<std::size_t> resampled(std::span<const double> log_weights, double uniform);

/// The largest power a ≤ 1 of some weights that leaves so many effective ones, or as many as there
/// are finite ones.
double tempering_power(std::span<const double> log_weights, double least_ess);

/// Posterior paths of one series.
struct PosteriorDraw {
  std::size_t series = 0;          ///< its place among all
  std::vector<std::size_t> paths;  ///< of a block [S], drawn by their weights: of equal weight
  double ess = 0;                  ///< of the weights
  double power = 1;                ///< of the weights by which they were drawn
};

/// Posterior paths of series, drawn anew by their weights p(y|X) e^(−M−E), block by block: gives
/// the draws of the block's series, and all of its paths. A block is of as many series as
/// block_memory holds, of their paths and of `bytes_of_series` beside. Throws ito::Error where no
/// path of a series is finite.
void draw_posteriors(
    const LatentSeries& given, const LatentShape& shape, std::span<const float> parameters,
    const SeriesDataset& series, const SeriesPathOptions& options, double bytes_of_series,
    const std::function<void(std::span<const PosteriorDraw>, const LatentPaths&)>& visitor);

}  // namespace ito
