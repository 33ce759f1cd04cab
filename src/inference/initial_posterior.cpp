#include "inference/initial_posterior.hpp"

#include <algorithm>
#include <cmath>

#include <ito/noise.hpp>

namespace ito {
namespace {

/// One channel of X_0: q and p, and where its parameters are.
struct Channel {
  double mean, log_std, prior_mean, prior_log_std;

  double variance_ratio() const { return std::exp(2 * (log_std - prior_log_std)); }
  /// (μ_q − μ_p)/σ_p
  double shift() const { return (mean - prior_mean) * std::exp(-prior_log_std); }
  double divergence() const {
    return prior_log_std - log_std + 0.5 * (variance_ratio() + shift() * shift() - 1);
  }
  /// (x_0 − μ_p)/σ_p at z
  double in_prior(double z) const { return shift() + std::exp(log_std - prior_log_std) * z; }
  /// log q/p at z
  double log_ratio(double z) const {
    return prior_log_std - log_std + 0.5 * (in_prior(z) * in_prior(z) - z * z);
  }
};

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
      const Channel channel{static_cast<double>(head[i]), static_cast<double>(head[d + i]),
                            static_cast<double>(parameters[shape_.initial_value + i]),
                            static_cast<double>(parameters[shape_.initial_log_std + i])};
      const double z = standard_normal(block.seed, block.first_path + path, 0,
                                       static_cast<std::uint32_t>(i), NoiseStream::initial);
      z_[path * d + i] = z;
      x0[path * d + i] = static_cast<Real>(channel.mean + std::exp(channel.log_std) * z);
      divergence += channel.divergence();
      ratio += channel.log_ratio(z);
    }
    energy[path] += divergence;
    martingale[path] += ratio - divergence;
  }
}

/// With x = (x_0 − μ_p)/σ_p = (μ_q − μ_p)/σ_p + (σ_q/σ_p) z, log q/p is log σ_p − log σ_q + ½(x² −
/// z²). Its derivative along the path, q's parameters and p's being fixed in q/p itself, is that by
/// x_0 times that of x_0: by x_0 it is x/σ_p − z/σ_q. The score of q is z/σ_q by μ_q and z² − 1 by
/// log σ_q.
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
      const Channel channel{static_cast<double>(head[i]), static_cast<double>(head[d + i]),
                            static_cast<double>(parameters[shape_.initial_value + i]),
                            static_cast<double>(parameters[shape_.initial_log_std + i])};
      const double std = std::exp(channel.log_std), prior_std = std::exp(channel.prior_log_std);
      const double shift = channel.shift(), ratio = channel.variance_ratio();
      for (std::size_t path = first; path < first + block.samples; ++path) {
        // Of a dropped path, whose numbers need not be finite.
        if (energy[path] == 0 && martingale[path] == 0 && x0[path * d + i] == 0) continue;
        const double z = z_[path * d + i], x = channel.in_prior(z);
        const auto a = static_cast<double>(energy[path]), b = static_cast<double>(martingale[path]);
        // By x_0: what follows the path, and log q/p in the martingale.
        const double by_x0 = static_cast<double>(x0[path * d + i]) + b * (x / prior_std - z / std);
        const double score = detach ? 0 : b;
        // The divergence has weight a − b: it is in the energy, and taken off in the martingale.
        by_head_[i] += by_x0 + score * z / std + (a - b) * shift / prior_std;
        by_head_[d + i] += by_x0 * std * z + score * (z * z - 1) + (a - b) * (ratio - 1);
        const double divergence_by_mean = -shift / prior_std,
                     divergence_by_std = 1 - ratio - shift * shift;
        const double left = detach ? a : a - b;
        by_prior_[i] += left * divergence_by_mean - (detach ? 0 : b) * x / prior_std;
        by_prior_[d + i] += left * divergence_by_std + (detach ? 0 : b) * (1 - x * x);
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
