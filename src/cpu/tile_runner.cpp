#include "cpu/tile_runner.hpp"

#include <algorithm>
#include <cmath>

#include <ito/noise.hpp>

#include "cpu/kernels.hpp"
#include "kernels/arithmetic/compensated_sum.cuh"

namespace ito::cpu {
namespace {

/// Gradient sums move from float to double every so many steps.
constexpr int flush_steps = 256;

template <class Steps>
int next_after(const Steps& steps, int k, int end) {
  const auto next = std::upper_bound(steps.begin(), steps.end(), k);
  return next == steps.end() ? end : std::min(end, *next);
}

}  // namespace

TileRunner::TileRunner(const CpuCall& call, std::uint64_t tile, float* scratch)
    : call_(call),
      tile_{call.parameters.data(),
            scratch,
            call.space.sigma,
            call.request.seed,
            static_cast<std::uint32_t>(call.map.partition.first_tile + tile),
            false,
            call.request.refinement,
            call.space.sigma_slope,
            nullptr},
      index_(tile) {
  const std::uint64_t begin = (call.map.partition.first_tile + tile) * tile_paths;
  const int width = call.kernels.width;
  for (int lane = 0; lane < tile_paths; ++lane) {
    const std::uint64_t path =
        begin + static_cast<std::uint64_t>(path_of_lane(width, lane / width, lane % width));
    const bool inside =
        path >= call.request.first_path && path - call.request.first_path < call.request.paths;
    path_[lane] = inside ? static_cast<std::int64_t>(path - call.request.first_path) : -1;
    row_[lane] = call.map.row(path);
  }
}

int TileRunner::first_layer() const { return call_.model.control_net->layers.front().outputs; }

void TileRunner::load_initial() {
  const ModelShape& shape = call_.shape;
  const std::span<const float> x0 = call_.request.x0, parameters = call_.parameters;
  const auto d = static_cast<std::size_t>(shape.state);
  float* x = at(call_.model.x);
  if (x0.empty() && shape.initial == InitialKind::gaussian) {
    call_.kernels.normals(tile_.seed, tile_.tile, 0,
                          static_cast<std::uint32_t>(NoiseStream::initial), shape.state, x);
  }
  for (std::size_t i = 0; i < d; ++i) {
    float* row = x + i * tile_paths;
    for (int lane = 0; lane < tile_paths; ++lane) {
      if (!x0.empty()) {
        const std::int64_t path = std::max<std::int64_t>(path_[lane], 0);
        row[lane] = x0.size() == d ? x0[i] : x0[static_cast<std::size_t>(path) * d + i];
      } else if (shape.initial == InitialKind::point) {
        row[lane] = static_cast<float>(shape.initial_point[i]);
      } else if (shape.initial == InitialKind::learned) {
        row[lane] = parameters[shape.initial_value + i];
      } else {
        row[lane] = parameters[shape.initial_value + i] +
                    std::exp(parameters[shape.initial_log_std + i]) * row[lane];
      }
    }
  }
  start_chain(call_.model.x);
}

/// Completes a chain that holds x_0: nothing has been rounded yet, and x̂_0 is x_0.
void TileRunner::start_chain(std::size_t place) {
  const std::size_t state = numbers(call_.model.state);
  float* x = at(place);
  std::fill_n(x + state, state, 0.0f);
  if (numbers(call_.model.carried) > 2 * state) std::copy_n(x, 2 * state, x + 2 * state);
}

/// Copies the bias rows in force at step k into the lanes.
void TileRunner::set_interval(int k) {
  const ModelShape& shape = call_.shape;
  if (shape.context() == 0 || interval_of(shape, k) == interval_) return;
  interval_ = interval_of(shape, k);
  const int h = first_layer();
  for (int lane = 0; lane < tile_paths; ++lane) {
    const float* row =
        call_.space.bias_rows + (row_[lane] * static_cast<std::size_t>(shape.intervals()) +
                                 static_cast<std::size_t>(interval_)) *
                                    static_cast<std::size_t>(h);
    float* to = at(call_.model.lane_bias) + lane;
    for (int r = 0; r < h; ++r, to += tile_paths) *to = row[r];
  }
}

/// Steps begin … end − 1, stopping where the context changes.
void TileRunner::run(int begin, int end, TapeSlice tape) {
  while (begin < end) {
    const int stop = next_after(call_.shape.context_steps, begin, end);
    set_interval(begin);
    (call_.model.scheme ? call_.kernels.scheme->run : call_.kernels.run)(call_.model, tile_, begin,
                                                                         stop, tape);
    begin = stop;
  }
}

void TileRunner::simulate(const BasicOutputs<float>& outputs, bool record) {
  const TileModel& model = call_.model;
  for (const std::size_t sum :
       {model.energy, model.martingale, model.interval_energy, model.interval_martingale}) {
    std::fill_n(at(sum), 2 * tile_paths, 0.0f);
  }
  load_initial();
  const int stride = static_cast<int>(call_.space.tape.stride);
  const TapeSlice tape{record && stride > 0 ? stored() : nullptr, 0, stride,
                       stride == 1 ? model.stored : model.carried};
  std::size_t s = 0;
  for (int k = 0; k < model.steps;) {
    if (s < saves() && call_.shape.save[s] == k) save(outputs, s++);
    const int stop = next_after(call_.shape.save, k, model.steps);
    run(k, stop, tape);
    k = stop;
  }
  if (s < saves()) save(outputs, s);
  finish(outputs, record);
}

void TileRunner::save(const BasicOutputs<float>& outputs, std::size_t s) {
  const TileModel& model = call_.model;
  const auto d = static_cast<std::size_t>(model.state);
  for (int lane = 0; lane < tile_paths; ++lane) {
    if (path_[lane] < 0) continue;
    const std::size_t to = static_cast<std::size_t>(path_[lane]) * saves() + s;
    const float* x = at(model.x) + lane;
    for (std::size_t i = 0; i < d && !outputs.states.empty(); ++i) {
      outputs.states[to * d + i] = x[i * tile_paths];
    }
    if (!outputs.interval_energy.empty()) {
      outputs.interval_energy[to] = at(model.interval_energy)[lane];
    }
    if (!outputs.interval_martingale.empty()) {
      outputs.interval_martingale[to] = at(model.interval_martingale)[lane];
    }
  }
  std::fill_n(at(model.interval_energy), 2 * tile_paths, 0.0f);
  std::fill_n(at(model.interval_martingale), 2 * tile_paths, 0.0f);
}

void TileRunner::finish(const BasicOutputs<float>& outputs, bool record) {
  const TileModel& model = call_.model;
  if (record && call_.space.tape.stride == 0) {
    std::copy_n(at(model.x), numbers(model.carried), stored());
  }
  for (int lane = 0; lane < tile_paths; ++lane) {
    bool finite =
        std::isfinite(at(model.energy)[lane]) && std::isfinite(at(model.martingale)[lane]);
    for (int i = 0; i < model.state; ++i) {
      finite = finite && std::isfinite(at(model.x)[i * tile_paths + lane]);
    }
    const std::uint8_t status = finite ? 0 : 1;
    if (record) call_.space.status[index_ * tile_paths + static_cast<std::size_t>(lane)] = status;
    if (path_[lane] < 0) continue;
    const auto path = static_cast<std::size_t>(path_[lane]);
    if (!outputs.energy.empty()) outputs.energy[path] = at(model.energy)[lane];
    if (!outputs.martingale.empty()) outputs.martingale[path] = at(model.martingale)[lane];
    if (!outputs.status.empty()) outputs.status[path] = status;
  }
}

void TileRunner::load_status() {
  const std::uint8_t* status = call_.space.status + index_ * tile_paths;
  tile_.masked = false;
  for (int lane = 0; lane < tile_paths; ++lane) {
    at(call_.model.finite)[lane] = status[lane] == 0 ? 1.0f : 0.0f;
    tile_.masked = tile_.masked || status[lane] != 0;
    if (status[lane] != 0) path_[lane] = -1;  // it contributes nothing
  }
}

/// Cotangents of E and M on the steps before save step `s`; s = saves() for those after the last.
void TileRunner::load_sum_cotangents(const BasicCotangents<float>& cotangents, std::size_t s) {
  const auto fill = [&](std::size_t place, std::span<const float> total,
                        std::span<const float> interval) {
    for (int lane = 0; lane < tile_paths; ++lane) {
      float value = 0.0f;
      if (path_[lane] >= 0) {
        const auto path = static_cast<std::size_t>(path_[lane]);
        if (!total.empty()) value += total[path];
        if (!interval.empty() && s < saves()) value += interval[path * saves() + s];
      }
      at(place)[lane] = value;
    }
  };
  fill(call_.model.energy_cotangent, cotangents.energy, cotangents.interval_energy);
  fill(call_.model.martingale_cotangent, cotangents.martingale, cotangents.interval_martingale);
}

/// Adds the cotangent of the state that was saved at save step `s`.
void TileRunner::add_saved_cotangents(const BasicCotangents<float>& cotangents, std::size_t s,
                                      bool states) {
  const auto d = static_cast<std::size_t>(call_.model.state);
  for (int lane = 0; lane < tile_paths && states && !cotangents.states.empty(); ++lane) {
    if (path_[lane] < 0) continue;
    const std::size_t from = (static_cast<std::size_t>(path_[lane]) * saves() + s) * d;
    for (std::size_t i = 0; i < d; ++i) {
      float* lambda = at(call_.model.lambda) + i * tile_paths + static_cast<std::size_t>(lane);
      add_of_any_size(lambda[0], lambda[d * tile_paths], cotangents.states[from + i]);
    }
  }
  load_sum_cotangents(cotangents, s);
}

/// The states of steps begin … end − 1, stored or recomputed.
const float* TileRunner::states_from(int begin, int end, float* segment) {
  const std::uint64_t stride = call_.space.tape.stride;
  const ChainSize size = chain();
  const float* from =
      stored() + static_cast<std::uint64_t>(begin) / stride * call_.space.tape.entry(size);
  if (stride == 1) return from;
  float* x = at(call_.model.x);
  std::copy_n(from, size.whole, x);
  run(begin, end - 1, {segment, begin, 1, call_.model.stored});
  std::copy_n(x, size.stored, segment + static_cast<std::size_t>(end - 1 - begin) * size.stored);
  return segment;
}

/// The last step before k, from `begin`, at which a run has to stop: a save, a new context, or a
/// flush of sums.
int TileRunner::previous_stop(int k, int begin) const {
  int stop = std::max(begin, (k - 1) / flush_steps * flush_steps);
  for (const auto* steps : {&call_.shape.save, &call_.shape.context_steps}) {
    const auto after = std::lower_bound(steps->begin(), steps->end(), k);
    if (after != steps->begin()) stop = std::max(stop, *(after - 1));
  }
  return stop;
}

/// The chain where a run ended; that of non-finite paths is replaced by zero.
void TileRunner::start_from_last() {
  float* x = at(call_.model.x);
  const std::size_t size = numbers(call_.model.carried);
  std::copy_n(stored(), size, x);
  for (std::size_t i = 0; i < size; ++i) {
    if (at(call_.model.finite)[i % tile_paths] == 0.0f) x[i] = 0.0f;
  }
}

/// Steps end − 1 … begin, at `states`, or from the chain in x where there are none.
void TileRunner::reverse(int begin, int end, const float* states, AdjointOptions options) {
  const TileModel& model = call_.model;
  const ReverseOptions flags{options.detach_state, options.detach_martingale_parameters};
  const SchemeKernels& schemes = *call_.kernels.scheme;
  if (states) {
    (model.scheme ? schemes.reverse : call_.kernels.reverse)(model, tile_, begin, end, states,
                                                             flags);
  } else {
    (model.field ? schemes.reverse_stochastic : schemes.reverse_undoing)(model, tile_, begin, end,
                                                                         flags);
  }
}

void TileRunner::adjoint(const BasicCotangents<float>& cotangents,
                         const BasicGradientOutputs<float>& gradient, AdjointOptions options,
                         std::uint64_t chunk, float* segment) {
  const TileModel& model = call_.model;
  double* sums = call_.space.gradients + chunk * call_.shape.parameters;
  load_status();
  std::fill_n(at(0), model.sums_size, 0.0f);
  std::fill_n(at(model.lambda), numbers(model.carried), 0.0f);
  std::size_t s = saves();
  load_sum_cotangents(cotangents, s);
  const auto add_cotangents_at = [&](int k) {
    if (s > 0 && call_.shape.save[s - 1] == k)
      add_saved_cotangents(cotangents, --s, !options.detach_state);
  };
  add_cotangents_at(model.steps);
  const int stride = static_cast<int>(call_.space.tape.stride);
  if (stride == 0) start_from_last();
  for (int end = model.steps; end > 0;) {
    const int begin = stride <= 1 ? 0 : (end - 1) / stride * stride;
    const float* states = stride == 0 ? nullptr : states_from(begin, end, segment);
    for (int k = end; k > begin;) {
      const int stop = previous_stop(k, begin);
      set_interval(stop);
      const std::size_t from = static_cast<std::size_t>(stop - begin) * numbers(model.stored);
      reverse(stop, k, states ? states + from : nullptr, options);
      k = stop;
      if (k % flush_steps == 0) take_sums(sums);
      if (k % flush_steps == 0 || begins_interval(k)) take_row_sums(k, chunk);
      add_cotangents_at(k);
    }
    end = begin;
  }
  if (model.carried > 2 * model.state) {  // x̂_0 is x_0
    const std::size_t auxiliary = 2 * numbers(model.state);
    for (std::size_t i = 0; i < auxiliary; ++i) {
      at(model.lambda)[i] += at(model.lambda)[auxiliary + i];
    }
  }
  if (call_.request.x0.empty() && !options.detach_state) reverse_initial(sums);
  for (int lane = 0; lane < tile_paths && !gradient.x0.empty(); ++lane) {
    if (path_[lane] < 0) continue;
    for (int i = 0; i < model.state; ++i) {
      gradient.x0[static_cast<std::size_t>(path_[lane]) * static_cast<std::size_t>(model.state) +
                  static_cast<std::size_t>(i)] = at(model.lambda)[i * tile_paths + lane];
    }
  }
}

void TileRunner::take_sums(double* gradient) {
  const TileModel& model = call_.model;
  for (const auto* net : {&model.drift_net, &model.diffusion_net, &model.control_net}) {
    if (*net) take_net_sums(**net, tile_.scratch, gradient);
  }
  if (model.control == ControlKind::constant) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(model.noise); ++j) {
      gradient[model.control_value + j] +=
          take_sum(at(model.control_sums) + j * tile_paths, tile_paths);
    }
  }
  for (std::size_t e = 0; e < static_cast<std::size_t>(model.entries.count()); ++e) {
    if (!model.constant_diffusion) break;
    gradient[call_.shape.diffusion_value + e] +=
        call_.space.sigma_slope[e] *
        take_sum(at(model.diffusion_sums) + e * tile_paths, tile_paths);
  }
}

bool TileRunner::begins_interval(int k) const {
  const auto& steps = call_.shape.context_steps;
  return std::binary_search(steps.begin(), steps.end(), k);
}

/// Adds the bias-row gradient of steps from k on, and of its interval, to the observations'
/// entries.
void TileRunner::take_row_sums(int k, std::uint64_t chunk) {
  if (call_.shape.context() == 0) return;
  const auto h = static_cast<std::size_t>(first_layer());
  const auto intervals = static_cast<std::size_t>(call_.shape.intervals());
  const auto interval = static_cast<std::size_t>(interval_of(call_.shape, k));
  float* sums = at(call_.model.control_net->layers.front().bias_sums);
  for (std::size_t r = 0; r < h; ++r) {
    for (std::size_t lane = 0; lane < tile_paths; ++lane) {
      if (path_[lane] < 0) continue;
      call_.space.row_gradients[((row_[lane] + chunk) * intervals + interval) * h + r] +=
          sums[r * tile_paths + lane];
    }
  }
  std::fill_n(sums, h * tile_paths, 0.0f);
}

void TileRunner::reverse_initial(double* gradient) {
  const ModelShape& shape = call_.shape;
  if (shape.initial == InitialKind::point) return;
  float* z = at(call_.model.increment);
  if (shape.initial == InitialKind::gaussian) {
    call_.kernels.normals(tile_.seed, tile_.tile, 0,
                          static_cast<std::uint32_t>(NoiseStream::initial), shape.state, z);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.state); ++i) {
    double mean = 0, scale = 0;
    for (std::size_t lane = 0; lane < tile_paths; ++lane) {
      if (path_[lane] < 0) continue;
      const double lambda = at(call_.model.lambda)[i * tile_paths + lane];
      mean += lambda;
      scale += lambda * z[i * tile_paths + lane];
    }
    gradient[shape.initial_value + i] += mean;
    if (shape.initial == InitialKind::gaussian) {
      gradient[shape.initial_log_std + i] +=
          scale * std::exp(call_.parameters[shape.initial_log_std + i]);
    }
  }
}

}  // namespace ito::cpu
