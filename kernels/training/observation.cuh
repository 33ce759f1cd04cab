// From a minibatch's rows and the states of its paths to log p(y|X), and back.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/training/training_arguments.cuh"

#include "kernels/arithmetic/likelihood.cuh"

namespace ito::cuda {

/// A thread for each number of y.
ITO_DEVICE void gather_rows(const GatherArguments& arguments) {
  const unsigned long long i = global_index();
  if (i >= static_cast<unsigned long long>(arguments.rows) * arguments.length) return;
  const auto row = static_cast<unsigned>(i / arguments.length);
  const auto j = static_cast<unsigned>(i % arguments.length);
  const unsigned picked = arguments.order[arguments.record->current.first + arguments.block + row];
  const float y = arguments.values[static_cast<unsigned long long>(picked) * arguments.length + j];
  arguments.y[i] = y;
  if (arguments.scaled != nullptr) {
    arguments.scaled[i] =
        static_cast<float>(arguments.scale * (static_cast<double>(y) - arguments.shift));
  }
  if (j == 0) arguments.block_constants[row] = arguments.constants[picked];
}

/// A zero cotangent times NaN is NaN, so a decoder must not see the states of a dropped path.
ITO_DEVICE void clear_dropped(const DroppedArguments& arguments) {
  const unsigned long long i = global_index();
  if (i < arguments.count && arguments.dropped[i / arguments.width]) arguments.rows[i] = 0;
}

ITO_DEVICE AllOrNothingTerms<float> terms_of(AllOrNothingTerms<float>, float number, double) {
  return {number};
}
ITO_DEVICE BinomialTerms<float> terms_of(BinomialTerms<float>, float number, double) {
  return {number};
}
ITO_DEVICE PoissonTerms<float> terms_of(PoissonTerms<float>, float, double) { return {}; }
ITO_DEVICE GaussianTerms<float> terms_of(GaussianTerms<float>, float, double inverse_scale) {
  return {static_cast<float>(inverse_scale)};
}
ITO_DEVICE StudentTerms<float> terms_of(StudentTerms<float>, float number, double inverse_scale) {
  const double factor = inverse_scale / sqrt(static_cast<double>(number));
  return {number, static_cast<float>(factor), static_cast<float>(sqrt(factor))};
}

/// A warp for each path. `kScale`: whether there is one.
template <class Terms, bool kScale>
ITO_DEVICE void compare_with_rows(const CompareArguments& arguments) {
  const unsigned path = block_index() * (block_size() / 32) + warp_index();
  if (path >= arguments.paths) return;
  const double log_scale = arguments.log_scale != nullptr
                               ? static_cast<double>(*arguments.log_scale)
                               : arguments.fixed_log_scale;
  const auto terms = terms_of(Terms{}, arguments.number, kScale ? exp(-log_scale) : 1.0);
  const unsigned row = path / arguments.samples;
  const float* y = arguments.y + static_cast<unsigned long long>(row) * arguments.length;
  const unsigned long long first = static_cast<unsigned long long>(path) * arguments.length;
  double value = 0, log_scale_slope = 0;
  for (unsigned j = lane_index(); j < arguments.length; j += 32) {
    const auto one = terms(y[j], arguments.eta[first + j]);
    arguments.slopes[first + j] = one.slope;
    value += static_cast<double>(one.value);
    log_scale_slope += static_cast<double>(one.log_scale_slope);
  }
  value = WarpReduction().sum(value);
  log_scale_slope = WarpReduction().sum(log_scale_slope);
  if (lane_index() != 0) return;
  const double scales = kScale ? static_cast<double>(arguments.length) : 0.0;
  const double log_likelihood = arguments.constants[row] + value - scales * log_scale;
  arguments.log_likelihood[path] = log_likelihood;
  if (arguments.log_scale_slopes != nullptr)
    arguments.log_scale_slopes[path] = log_scale_slope - scales;
  if (!is_finite(log_likelihood)) arguments.dropped[path] = 1;
}

ITO_DEVICE void weigh_slopes(const EtaArguments& arguments) {
  const unsigned long long i = global_index();
  if (i >= arguments.count) return;
  const unsigned long long path = i / arguments.length;
  arguments.slopes[i] =
      arguments.dropped[path] ? 0.0f : arguments.by_log_likelihood[path] * arguments.slopes[i];
}

}  // namespace ito::cuda
