#include "inference/initial_posterior.hpp"

#include <algorithm>

#include <ito/noise.hpp>

#include "kernels/arithmetic/initial_posterior.cuh"

namespace ito {
namespace {

/// Channel i of an observation with `head`.
template <class Real>
InitialChannel channel_of(const ModelShape& shape, std::span<const Real> parameters,
                          std::span<const Real> head, std::size_t i) {
  return {static_cast<double>(head[i]), static_cast<double>(head[head.size() / 2 + i]),
          static_cast<double>(parameters[shape.initial_value + i]),
          static_cast<double>(parameters[shape.initial_log_std + i])};
}

}  // namespace

template <class Real>
void InitialPosterior<Real>::draw(std::span<const Real> parameters, const Block& block,
                                  std::span<Real> x0, std::span<double> energy,
                                  std::span<double> martingale) {
  const auto d = static_cast<std::size_t>(shape_.state);
  z_.resize(std::max(z_.size(), x0.size()));
  for (std::size_t path = 0; path < energy.size(); ++path) {
    const auto head = block.heads.subspan(path / block.samples * 2 * d, 2 * d);
    double divergence = 0, ratio = 0;
    for (std::size_t i = 0; i < d; ++i) {
      const InitialChannel channel = channel_of<Real>(shape_, parameters, head, i);
      const double z = standard_normal(block.seed, block.first_path + path, 0,
                                       static_cast<std::uint32_t>(i), NoiseStream::initial);
      z_[path * d + i] = z;
      x0[path * d + i] = static_cast<Real>(channel.start(z));
      divergence += channel.divergence();
      ratio += channel.log_ratio(z);
    }
    energy[path] += divergence;
    martingale[path] += ratio - divergence;
  }
}

template <class Real>
void InitialPosterior<Real>::reverse(std::span<const Real> parameters, const Block& block,
                                     std::span<const Real> x0, std::span<const Real> energy,
                                     std::span<const Real> martingale, bool detach,
                                     std::span<Real> heads, std::span<Real> gradient) {
  const auto d = static_cast<std::size_t>(shape_.state);
  const std::size_t paths = energy.size();
  by_prior_.assign(2 * d, 0.0);
  for (std::size_t first = 0; first < paths; first += block.samples) {
    const std::size_t row = first / block.samples;
    const auto head = block.heads.subspan(row * 2 * d, 2 * d);
    by_head_.assign(2 * d, 0.0);
    for (std::size_t i = 0; i < d; ++i) {
      const InitialChannel channel = channel_of<Real>(shape_, parameters, head, i);
      for (std::size_t path = first; path < first + block.samples; ++path) {
        // Of a dropped path, whose numbers need not be finite.
        if (energy[path] == 0 && martingale[path] == 0 && x0[path * d + i] == 0) continue;
        const InitialCotangents by = initial_cotangents(
            channel, z_[path * d + i], static_cast<double>(x0[path * d + i]),
            static_cast<double>(energy[path]), static_cast<double>(martingale[path]), detach);
        by_head_[i] += by.mean;
        by_head_[d + i] += by.log_std;
        by_prior_[i] += by.prior_mean;
        by_prior_[d + i] += by.prior_log_std;
      }
    }
    for (std::size_t i = 0; i < 2 * d; ++i) heads[row * 2 * d + i] = static_cast<Real>(by_head_[i]);
  }
  for (std::size_t i = 0; i < d; ++i) {
    gradient[shape_.initial_value + i] += static_cast<Real>(by_prior_[i]);
    gradient[shape_.initial_log_std + i] += static_cast<Real>(by_prior_[d + i]);
  }
}

template class InitialPosterior<float>;
template class InitialPosterior<double>;

}  // namespace ito
