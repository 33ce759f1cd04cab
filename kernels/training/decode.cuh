// From the states of a block's paths to log p(y|X) and the loss, with a small decoder or without,
// and the way back to cotangents of the states.
#pragma once

#include "kernels/device/arrivals.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/training/small_net.cuh"
#include "kernels/training/training_arguments.cuh"

#include "kernels/arithmetic/likelihood.cuh"
#include "kernels/arithmetic/objective.cuh"

namespace ito::cuda {

/// A zero cotangent times NaN is NaN, so a decoder that is not small must not see the states of a
/// dropped path.
ITO_DEVICE void clear_dropped(const DroppedArguments& arguments) {
  const unsigned long long i = global_index();
  if (i < arguments.count && arguments.dropped[i / arguments.width]) arguments.rows[i] = 0;
}

ITO_DEVICE AllOrNothingTerms<float> terms_of(AllOrNothingTerms<float>, float number, NumberScale) {
  return {number};
}
ITO_DEVICE BinomialTerms<float> terms_of(BinomialTerms<float>, float number, NumberScale) {
  return {number};
}
ITO_DEVICE PoissonTerms<float> terms_of(PoissonTerms<float>, float, NumberScale) { return {}; }
ITO_DEVICE GaussianTerms<float> terms_of(GaussianTerms<float>, float, NumberScale scale) {
  return {scale.factor};
}
ITO_DEVICE StudentTerms<float> terms_of(StudentTerms<float>, float number, NumberScale scale) {
  return {number, scale.factor, scale.root};
}

/// A warp: row `row` of η, of which z(j) is number j before the last activation, against its y.
template <ScaleKind kScale, class Terms, class Tile, class Z>
ITO_DEVICE void compare_row(const DecodeArguments& arguments, const Terms& terms, unsigned row,
                            const Z& z) {
  const unsigned path = row / arguments.times;
  const float* y =
      arguments.y + (static_cast<unsigned long long>(path / arguments.samples) * arguments.times +
                     row % arguments.times) *
                        arguments.observed;
  const unsigned long long place = static_cast<unsigned long long>(row) * arguments.observed;
  float* slopes = arguments.slopes + place;
  double value = 0, log_scale_slope = 0;
  for (unsigned j = lane_index(); j < arguments.observed; j += 32) {
    const auto eta = Tile::template activated<Tile::kLayers - 1>(z(j));
    if constexpr (kScale == ScaleKind::each) {
      const NumberScale scale = arguments.scales[j];
      const auto one =
          WhereObserved<Terms>{terms_of(Terms{}, arguments.number, scale)}(y[j], eta.value);
      slopes[j] = one.slope * eta.slope;
      const bool observed = y[j] == y[j];
      value += static_cast<double>(one.value) - (observed ? scale.log_scale : 0.0);
      if (arguments.scale_slopes != nullptr)
        arguments.scale_slopes[place + j] = one.log_scale_slope - (observed ? 1.0f : 0.0f);
    } else {
      const auto one = WhereObserved<Terms>{terms}(y[j], eta.value);
      slopes[j] = one.slope * eta.slope;
      value += static_cast<double>(one.value);
      log_scale_slope += static_cast<double>(one.log_scale_slope);
    }
  }
  value = WarpReduction().sum(value);
  log_scale_slope = WarpReduction().sum(log_scale_slope);
  if (lane_index() != 0) return;
  arguments.values[row] = value;
  arguments.log_scale_slopes[row] = log_scale_slope;
}

/// A warp: what an observation adds to the derivatives by the scales of each number.
ITO_DEVICE void weigh_scales(const DecodeArguments& arguments, unsigned observation) {
  if (arguments.scale_slopes == nullptr) return;
  warp_barrier();  // other lanes have written the weights
  const unsigned rows = arguments.samples * arguments.times, dimension = arguments.observed;
  const unsigned long long first = static_cast<unsigned long long>(observation) * rows;
  for (unsigned j = 0; j < dimension; ++j) {
    double sum = 0;
    for (unsigned r = lane_index(); r < rows; r += 32) {
      const unsigned long long row = first + r;
      const float weight = arguments.by.log_likelihood[row / arguments.times];
      if (weight == 0) continue;  // a dropped path has no numbers
      sum += static_cast<double>(weight) *
             static_cast<double>(arguments.scale_slopes[row * dimension + j]);
    }
    sum = WarpReduction().sum(sum);
    if (lane_index() == 0)
      arguments.by_scales[static_cast<unsigned long long>(observation) * dimension + j] =
          static_cast<float>(sum);
  }
}

ITO_DEVICE void add_initial(const DecodeArguments& arguments, unsigned long long path) {
  const InitialSums sums = arguments.initial[path];
  const auto add = [&](float& to, double more) {
    to = static_cast<float>(static_cast<double>(to) + more);
  };
  add(arguments.energy[path], sums.energy);
  add(arguments.martingale[path], sums.martingale);
}

/// A posterior of X_0 far from its prior makes sums whose derivatives no float holds.
ITO_DEVICE bool is_usable(float sum) { return Math<float>::abs(sum) < 1e38f; }

/// A warp: the loss of an observation all of whose rows have been compared. `log_scale`: of all
/// numbers, where there is one. `kPosterior`: encoder and control stick the landing besides.
template <LossKind kKind, bool kPosterior, ScaleKind kScale>
ITO_DEVICE void weigh_observation(const DecodeArguments& arguments, unsigned observation,
                                  double log_scale) {
  const RowConstant constant = arguments.constants[observation];
  const double scales = kScale == ScaleKind::one ? constant.numbers : 0.0;
  const unsigned long long first = static_cast<unsigned long long>(observation) * arguments.samples;
  for (unsigned s = lane_index(); s < arguments.samples; s += 32) {
    const unsigned long long path = first + s;
    double value = constant.value - scales * log_scale;
    for (unsigned t = 0; t < arguments.times; ++t)
      value += arguments.values[path * arguments.times + t];
    arguments.log_likelihood[path] = value;
    if (arguments.initial != nullptr) add_initial(arguments, path);
    if (!is_finite(value) || !is_usable(arguments.energy[path]) ||
        !is_usable(arguments.martingale[path]))
      arguments.dropped[path] = 1;
  }
  const auto loss = [&](LossKind kind, const CotangentRows& by) {
    return observation_loss(
        WarpReduction(), kind, arguments.record->current.annealing, arguments.share,
        arguments.samples,
        PathSumRows<float>{arguments.log_likelihood + first, arguments.energy + first,
                           arguments.martingale + first, arguments.dropped + first},
        by.from(first));
  };
  if constexpr (kPosterior) loss(LossKind::sticking_the_landing, arguments.posterior);
  const LossSums sums = loss(kKind, arguments.by);
  double by_log_scale = 0;
  if (arguments.log_scale != nullptr) {
    for (unsigned s = lane_index(); s < arguments.samples; s += 32) {
      const unsigned long long path = first + s;
      if (arguments.dropped[path]) continue;
      double slope = -scales;
      for (unsigned t = 0; t < arguments.times; ++t)
        slope += arguments.log_scale_slopes[path * arguments.times + t];
      by_log_scale += static_cast<double>(arguments.by.log_likelihood[path]) * slope;
    }
    by_log_scale = WarpReduction().sum(by_log_scale);
  }
  if constexpr (kScale == ScaleKind::each) weigh_scales(arguments, observation);
  if (lane_index() != 0) return;
  double* losses = arguments.losses + static_cast<unsigned long long>(loss_numbers) * observation;
  losses[0] = sums.loss;
  losses[1] = sums.elbo;
  losses[2] = sums.energy;
  losses[3] = sums.paths;
  losses[4] = by_log_scale;
}

/// One block: the sums of all observations, into the step's.
ITO_DEVICE void add_block_to_step(const DecodeArguments& arguments) {
  double loss = 0, elbo = 0, energy = 0, observations = 0, non_finite = 0, log_scale = 0;
  for (unsigned row = thread_index(); row < arguments.observations; row += block_size()) {
    const double* one = arguments.losses + static_cast<unsigned long long>(loss_numbers) * row;
    loss += arguments.share * one[0];
    elbo += one[1];
    energy += one[2];
    observations += one[3] > 0 ? 1.0 : 0.0;
    non_finite += static_cast<double>(arguments.samples) - one[3];
    log_scale += one[4];
  }
  const BlockReduction block;
  loss = block.sum(loss);
  elbo = block.sum(elbo);
  energy = block.sum(energy);
  observations = block.sum(observations);
  non_finite = block.sum(non_finite);
  log_scale = block.sum(log_scale);
  if (thread_index() != 0) return;
  TrainingRecord& record = *arguments.record;
  record.loss += loss;
  record.step.elbo += elbo;
  record.step.energy += energy;
  record.step.observations += observations;
  record.step.non_finite += non_finite;
  record.log_scale = log_scale;
}

/// Blocks take tiles of rows in turn, a warp a row where there is no product. The warp that comes
/// last of those with a row of an observation weighs it, the block that comes last adds them up.
template <class Net, class Terms, ScaleKind kScale, LossKind kKind, bool kPosterior>
ITO_DEVICE void decode(const DecodeArguments& arguments) {
  using Tile = NetTile<Net>;
  constexpr unsigned kRows = Tile::kRows, kHidden = hidden_channels(Net::spec);
  constexpr unsigned kWarps = net_threads / 32;
  const double log_scale = arguments.log_scale != nullptr
                               ? static_cast<double>(*arguments.log_scale)
                               : arguments.fixed_log_scale;
  NumberScale scale{0, 1, 1};
  if constexpr (kScale == ScaleKind::one) scale = number_scale(log_scale, arguments.number);
  const auto terms = terms_of(Terms{}, arguments.number, scale);
  const unsigned each = arguments.samples * arguments.times;  // rows of an observation
  const unsigned rows = arguments.observations * each;
  if constexpr (Tile::kLayers > 0) Tile::template stage<true>(arguments.parameters);
  for (unsigned first = block_index() * kRows; first < rows; first += grid_size() * kRows) {
    const auto x = [&](unsigned r, unsigned i, unsigned width) {
      const unsigned row = first + r;
      return row < rows && !arguments.dropped[row / arguments.times]
                 ? arguments.x[static_cast<unsigned long long>(row) * width + i]
                 : 0.0f;
    };
    if constexpr (Tile::kLayers > 0) {
      Tile::fill(Tile::buffer(0), Net::spec.inputs,
                 [&](unsigned r, unsigned i) { return x(r, i, Net::spec.inputs); });
      block_barrier();
      Tile::forward(arguments.parameters, [&](int layer, unsigned j, int r, float z) {
        const unsigned row = first + static_cast<unsigned>(r);
        if (row >= rows || layer + 1 == Tile::kLayers) return;
        arguments.hidden[static_cast<unsigned long long>(row) * kHidden +
                         static_cast<unsigned>(channels_before(Net::spec, layer)) + j] = z;
      });
    }
    for (unsigned r = warp_index(); r < kRows && first + r < rows; r += kWarps) {
      compare_row<kScale, Terms, Tile>(arguments, terms, first + r, [&](unsigned j) {
        if constexpr (Tile::kLayers > 0)
          return Tile::buffer(Tile::kLayers % 2).load(j * Tile::kStride + r);
        else
          return x(r, j, arguments.observed);
      });
    }
    block_barrier();
    const unsigned end = first + kRows < rows ? first + kRows : rows;
    for (unsigned observation = first / each + warp_index(); observation * each < end;
         observation += kWarps) {
      const unsigned begins = observation * each / kRows,
                     ends = ((observation + 1) * each - 1) / kRows;
      if (last_warp(arguments.arrivals + observation, ends - begins + 1))
        weigh_observation<kKind, kPosterior, kScale>(arguments, observation, log_scale);
    }
  }
  if (last_block(arguments.arrivals + arguments.observations, grid_size()))
    add_block_to_step(arguments);
}

/// As `decode`; without a small decoder, a thread a number.
template <class Net>
ITO_DEVICE void decode_back(const DecodeBackArguments& arguments) {
  using Tile = NetTile<Net>;
  const auto weight_of = [&](unsigned row) {
    return arguments.by_log_likelihood[row / arguments.times];  // of dropped paths: 0
  };
  const auto cotangent = [&](unsigned row, unsigned j, float weight) {
    return weight == 0
               ? 0.0f
               : weight *
                     arguments
                         .slopes[static_cast<unsigned long long>(row) * arguments.observed + j];
  };
  if constexpr (Tile::kLayers == 0) {
    const unsigned long long i = global_index();
    const auto row = static_cast<unsigned>(i / arguments.observed);
    if (row < arguments.rows)
      arguments.cotangents[i] =
          cotangent(row, static_cast<unsigned>(i % arguments.observed), weight_of(row));
  } else {
    constexpr unsigned kRows = Tile::kRows, kHidden = hidden_channels(Net::spec);
    constexpr unsigned kInputs = Net::spec.inputs;
    float* const sums =
        arguments.sums + block_index() * (Net::spec.parameters_end() - Net::spec.parameters);
    Tile::template stage<false>(arguments.parameters);
    const Shared<float> weights = Tile::row_numbers();
    const unsigned begin = block_index() * kRows;
    for (unsigned first = begin; first < arguments.rows; first += grid_size() * kRows) {
      if (thread_index() < kRows) {
        const unsigned row = first + thread_index();
        weights.store(thread_index(), row < arguments.rows ? weight_of(row) : 0.0f);
      }
      block_barrier();
      Tile::fill(Tile::buffer(0), Tile::kOutputs,
                 [&](unsigned r, unsigned j) { return cotangent(first + r, j, weights.load(r)); });
      block_barrier();
      // What a row of weight zero has seen may be no number.
      const auto number = [&](const float* numbers, unsigned width, unsigned r, unsigned j) {
        return weights.load(r) == 0
                   ? 0.0f
                   : numbers[static_cast<unsigned long long>(first + r) * width + j];
      };
      Tile::template backward<true>(
          sums, first == begin,
          [&](int layer, unsigned j, int r) {
            return number(arguments.hidden, kHidden, static_cast<unsigned>(r),
                          static_cast<unsigned>(channels_before(Net::spec, layer)) + j);
          },
          [&](unsigned r, unsigned i) { return number(arguments.x, kInputs, r, i); },
          [&](unsigned i, int r, float value) {
            const unsigned row = first + static_cast<unsigned>(r);
            if (row < arguments.rows)
              arguments.cotangents[static_cast<unsigned long long>(row) * kInputs + i] = value;
          });
    }
  }
}

}  // namespace ito::cuda
