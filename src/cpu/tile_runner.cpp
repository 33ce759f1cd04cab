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

}  // namespace

TileRunner::TileRunner(const CpuCall& call, std::uint64_t tile, float* scratch)
    : call_(call),
      grids_(call.shape, call.model, call.request, call.map,
             (call.map.partition.first_tile + tile) * tile_paths, call.kernels.width),
      tile_{call.parameters.data(),
            scratch,
            call.space.sigma,
            call.request.seed,
            static_cast<std::uint32_t>(call.map.partition.first_tile + tile),
            false,
            call.request.refinement,
            call.space.sigma_slope,
            nullptr,
            grids_.common(),
            grids_.by_lane()},
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

/// Copies the bias rows in force at step k into the lanes: zeros where there is no path.
void TileRunner::set_interval(int k) {
  const ModelShape& shape = call_.shape;
  if (shape.context() == 0) return;
  const auto h = static_cast<std::size_t>(call_.model.bias_row);
  for (TileGrid& grid : grids_.all()) {
    const int interval = grid.interval_at(k);
    if (interval == grid.interval) continue;
    grid.interval = interval;
    for (const std::size_t lane : grid.lanes) {
      const bool none = interval == TileGrid::no_interval || !has_path(lane);
      const float* row = call_.space.bias_rows;
      if (!none) {
        row += (row_[lane] * static_cast<std::size_t>(shape.intervals()) +
                static_cast<std::size_t>(interval)) *
               h;
      }
      float* to = at(call_.model.lane_bias) + lane;
      for (std::size_t r = 0; r < h; ++r, to += tile_paths) *to = none ? 0.0f : row[r];
    }
  }
}

/// Steps begin … end − 1, stopping where the context changes.
void TileRunner::run(int begin, int end, TapeSlice tape) {
  while (begin < end) {
    const int stop = grids_.next_change(begin, end);
    set_interval(begin);
    (call_.model.scheme ? call_.kernels.scheme->run : call_.kernels.run)(call_.model, tile_, begin,
                                                                         stop, tape);
    begin = stop;
  }
}

void TileRunner::clear_sums() {
  const TileModel& model = call_.model;
  for (const std::size_t sum :
       {model.energy, model.martingale, model.interval_energy, model.interval_martingale}) {
    std::fill_n(at(sum), 2 * tile_paths, 0.0f);
  }
}

void TileRunner::simulate(const BasicOutputs<float>& outputs, bool record) {
  const TileModel& model = call_.model;
  clear_sums();
  load_initial();
  const int stride = static_cast<int>(call_.space.tape.stride);
  const TapeSlice tape{record && stride > 0 ? stored() : nullptr, 0, stride,
                       stride == 1 ? model.stored : model.carried};
  for (int k = 0;;) {
    grids_.pass(
        k, [&](LaneList lanes, std::size_t s) { save(outputs, lanes, s); },
        [&](LaneList lanes) { finish(outputs, lanes, record); });
    if (k == grids_.end()) break;
    const int stop = grids_.next_stop(k);
    run(k, stop, tape);
    k = stop;
  }
}

void TileRunner::save(const BasicOutputs<float>& outputs, LaneList lanes, std::size_t s) {
  const TileModel& model = call_.model;
  const auto d = static_cast<std::size_t>(model.state);
  for (const std::size_t lane : lanes) {
    const float interval_energy = at(model.interval_energy)[lane],
                interval_martingale = at(model.interval_martingale)[lane];
    for (const std::size_t sum : {model.interval_energy, model.interval_martingale}) {
      at(sum)[lane] = at(sum)[tile_paths + lane] = 0.0f;
    }
    if (!has_path(lane)) continue;
    const std::size_t to = static_cast<std::size_t>(path_[lane]) * saves() + s;
    const float* x = at(model.x) + lane;
    for (std::size_t i = 0; i < d && !outputs.states.empty(); ++i) {
      outputs.states[to * d + i] = x[i * tile_paths];
    }
    if (!outputs.interval_energy.empty()) outputs.interval_energy[to] = interval_energy;
    if (!outputs.interval_martingale.empty()) outputs.interval_martingale[to] = interval_martingale;
  }
}

bool TileRunner::is_finite(std::size_t lane) const {
  const TileModel& model = call_.model;
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.state); ++i) {
    if (!std::isfinite(at(model.x)[i * tile_paths + lane])) return false;
  }
  return std::isfinite(at(model.energy)[lane]) && std::isfinite(at(model.martingale)[lane]);
}

/// Where the grid of these lanes ends: what is left of their paths.
void TileRunner::finish(const BasicOutputs<float>& outputs, LaneList lanes, bool record) {
  const TileModel& model = call_.model;
  const bool keeps_last = record && call_.space.tape.stride == 0;
  for (const std::size_t lane : lanes) {
    for (std::size_t i = lane; keeps_last && i < numbers(model.carried); i += tile_paths) {
      stored()[i] = at(model.x)[i];
    }
    const std::uint8_t status = is_finite(lane) ? 0 : 1;
    if (record) call_.space.status[index_ * tile_paths + lane] = status;
    if (!has_path(lane)) continue;
    const auto path = static_cast<std::size_t>(path_[lane]);
    if (!outputs.energy.empty()) outputs.energy[path] = at(model.energy)[lane];
    if (!outputs.martingale.empty()) outputs.martingale[path] = at(model.martingale)[lane];
    if (!outputs.status.empty()) outputs.status[path] = status;
  }
}

/// No path takes part yet; one that is not finite never will.
void TileRunner::load_status() {
  const TileModel& model = call_.model;
  const std::uint8_t* status = call_.space.status + index_ * tile_paths;
  for (int lane = 0; lane < tile_paths; ++lane) {
    if (status[lane] != 0) path_[lane] = -1;
  }
  for (const std::size_t row : {model.active, model.energy_cotangent, model.martingale_cotangent}) {
    std::fill_n(at(row), tile_paths, 0.0f);
  }
  std::fill_n(at(model.x), call_.space.tape.stride == 0 ? numbers(model.carried) : 0, 0.0f);
}

/// Where the grid of these lanes ends: their paths take part from here on, unless they are not
/// finite.
void TileRunner::start_back(const BasicCotangents<float>& cotangents, LaneList lanes) {
  const TileModel& model = call_.model;
  float* active = at(model.active);
  for (const std::size_t lane : lanes) {
    if (call_.space.status[index_ * tile_paths + lane] != 0) continue;
    active[lane] = 1.0f;
    if (call_.space.tape.stride > 0) continue;
    for (std::size_t i = lane; i < numbers(model.carried); i += tile_paths) {
      at(model.x)[i] = stored()[i];
    }
  }
  tile_.masked = std::any_of(active, active + tile_paths, [](float a) { return a == 0.0f; });
  load_sum_cotangents(cotangents, lanes, saves());
}

/// Cotangents of E and M on the steps before save step `s`; s = saves() for those after the last.
void TileRunner::load_sum_cotangents(const BasicCotangents<float>& cotangents, LaneList lanes,
                                     std::size_t s) {
  const auto fill = [&](std::size_t place, std::span<const float> total,
                        std::span<const float> interval) {
    for (const std::size_t lane : lanes) {
      float value = 0.0f;
      if (has_path(lane)) {
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
void TileRunner::add_saved_cotangents(const BasicCotangents<float>& cotangents, LaneList lanes,
                                      std::size_t s, bool states) {
  const auto d = static_cast<std::size_t>(call_.model.state);
  for (const std::size_t lane : lanes) {
    if (!states || cotangents.states.empty() || !has_path(lane)) continue;
    const std::size_t from = (static_cast<std::size_t>(path_[lane]) * saves() + s) * d;
    for (std::size_t i = 0; i < d; ++i) {
      float* lambda = at(call_.model.lambda) + i * tile_paths + lane;
      add_of_any_size(lambda[0], lambda[d * tile_paths], cotangents.states[from + i]);
    }
  }
  load_sum_cotangents(cotangents, lanes, s);
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
  grids_.restart(saves());
  const auto add_cotangents_at = [&](int k) {
    for (TileGrid& grid : grids_.all()) {
      if (k > grid.end()) continue;
      if (k == grid.end()) start_back(cotangents, grid.lanes);
      while (grid.passed > 0 && grid.grid.save[grid.passed - 1] >= k) {
        add_saved_cotangents(cotangents, grid.lanes, --grid.passed, !options.detach_state);
      }
    }
  };
  add_cotangents_at(grids_.end());
  const int stride = static_cast<int>(call_.space.tape.stride);
  for (int end = grids_.end(); end > 0;) {
    const int begin = stride <= 1 ? 0 : (end - 1) / stride * stride;
    const float* states = stride == 0 ? nullptr : states_from(begin, end, segment);
    for (int k = end; k > begin;) {
      const int flush = (k - 1) / flush_steps * flush_steps;
      const int stop = grids_.previous_stop(k, std::max(begin, flush));
      set_interval(stop);
      const std::size_t from = static_cast<std::size_t>(stop - begin) * numbers(model.stored);
      reverse(stop, k, states ? states + from : nullptr, options);
      k = stop;
      if (k % flush_steps == 0) take_sums(sums);
      take_row_sums(k, chunk);
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

/// Adds the bias-row gradient of steps from k on, and of its interval, to the observations'
/// entries: where a context begins at k, and every so many steps.
void TileRunner::take_row_sums(int k, std::uint64_t chunk) {
  if (call_.shape.context() == 0) return;
  const auto h = static_cast<std::size_t>(call_.model.bias_row);
  const auto intervals = static_cast<std::size_t>(call_.shape.intervals());
  double* entries[tile_paths]{};  // [h], of the lanes whose sums are taken
  bool any = false;
  for (const TileGrid& grid : grids_.all()) {
    if (k >= grid.end() || !(k % flush_steps == 0 || grid.changes_at(k))) continue;
    any = true;
    for (const std::size_t lane : grid.lanes) {
      entries[lane] =
          call_.space.row_gradients +
          ((row_[lane] + chunk) * intervals + static_cast<std::size_t>(grid.interval_at(k))) * h;
    }
  }
  if (!any) return;
  call_.model.for_row_nets([&](const TileNet& net) {
    const TileLayer& layer = net.layers.front();
    float* sums = at(layer.bias_sums);
    for (int r = 0; r < layer.outputs; ++r, sums += tile_paths) {
      for (std::size_t lane = 0; lane < tile_paths; ++lane) {
        if (!entries[lane]) continue;
        if (has_path(lane)) entries[lane][net.bias_row + r] += sums[lane];
        sums[lane] = 0.0f;
      }
    }
  });
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
