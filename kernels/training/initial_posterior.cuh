// X_0 from the posterior that an encoder gives (src/inference/initial_posterior.hpp), and the way
// back. Noise is made again, not kept.
#pragma once

#include "kernels/device/noise.cuh"
#include "kernels/device/precision.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/training/series_arguments.cuh"

#include "kernels/arithmetic/initial_posterior.cuh"

namespace ito::cuda {

inline constexpr unsigned initial_stream = 1;  ///< NoiseStream::initial

/// q and p of channel i for the observation of `path`.
ITO_DEVICE InitialChannel initial_channel(const InitialArguments& arguments,
                                          unsigned long long observation, unsigned i) {
  const float* head = arguments.heads + observation * 2 * arguments.state;
  return {static_cast<double>(head[i]), static_cast<double>(head[arguments.state + i]),
          static_cast<double>(arguments.prior_mean[i]),
          static_cast<double>(arguments.prior_log_std[i])};
}

ITO_DEVICE double initial_normal(const InitialArguments& arguments, unsigned long long path,
                                 unsigned i) {
  const auto pair = path_normals<Exact>(arguments.record->current.seed, arguments.first_path + path,
                                        0, static_cast<int>(i / 2), initial_stream);
  return i % 2 == 0 ? pair.first : pair.second;
}

/// A thread a path.
ITO_DEVICE void draw_initial(const DrawInitialArguments& arguments) {
  const InitialArguments& of = arguments.of;
  const unsigned long long path = global_index();
  if (path >= static_cast<unsigned long long>(of.observations) * of.samples) return;
  double divergence = 0, ratio = 0;
  for (unsigned i = 0; i < of.state; ++i) {
    const InitialChannel channel = initial_channel(of, path / of.samples, i);
    const double z = initial_normal(of, path, i);
    arguments.x0[path * of.state + i] = static_cast<float>(channel.start(z));
    divergence += channel.divergence();
    ratio += channel.log_ratio(z);
  }
  arguments.sums[path] = {divergence, ratio - divergence};
}

/// A warp a channel of an observation.
ITO_DEVICE void reverse_initial(const ReverseInitialArguments& arguments) {
  const InitialArguments& of = arguments.of;
  const auto place = static_cast<unsigned>(global_index() / 32);
  const unsigned observation = place / of.state, i = place % of.state;
  if (observation >= of.observations) return;
  const InitialChannel channel = initial_channel(of, observation, i);
  InitialCotangents sum{0, 0, 0, 0};
  for (unsigned s = lane_index(); s < of.samples; s += 32) {
    const unsigned long long path = static_cast<unsigned long long>(observation) * of.samples + s;
    if (arguments.dropped[path]) continue;
    const InitialCotangents by =
        initial_cotangents(channel, initial_normal(of, path, i),
                           static_cast<double>(arguments.x0[path * of.state + i]),
                           static_cast<double>(arguments.energy[path]),
                           static_cast<double>(arguments.martingale[path]), arguments.detach != 0);
    sum = {sum.mean + by.mean, sum.log_std + by.log_std, sum.prior_mean + by.prior_mean,
           sum.prior_log_std + by.prior_log_std};
  }
  const WarpReduction warp;
  sum = {warp.sum(sum.mean), warp.sum(sum.log_std), warp.sum(sum.prior_mean),
         warp.sum(sum.prior_log_std)};
  if (lane_index() != 0) return;
  const auto put = [&](float* rows, double mean, double log_std) {
    float* row = rows + static_cast<unsigned long long>(observation) * 2 * of.state;
    row[i] = static_cast<float>(mean);
    row[of.state + i] = static_cast<float>(log_std);
  };
  put(arguments.heads, sum.mean, sum.log_std);
  put(arguments.by_prior, sum.prior_mean, sum.prior_log_std);
}

}  // namespace ito::cuda
