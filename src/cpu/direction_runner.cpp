#include "cpu/direction_runner.hpp"

#include <algorithm>
#include <cmath>

#include <ito/noise.hpp>

#include "cpu/kernels.hpp"

namespace ito::cpu {
namespace {

constexpr auto all_lanes = static_cast<std::size_t>(tile_paths);

}  // namespace

void DirectionRunner::load_initial_tangents(const DirectionArrays& arrays, std::size_t count) {
  const ModelShape& shape = call_.shape;
  const auto d = static_cast<std::size_t>(shape.state);
  const bool drawn = call_.request.x0.empty() && shape.initial != InitialKind::point;
  float* z = at(call_.model.increment);
  if (drawn && shape.initial == InitialKind::gaussian) {
    call_.kernels.normals(tile_.seed, tile_.tile, 0,
                          static_cast<std::uint32_t>(NoiseStream::initial), shape.state, z);
  }
  for (std::size_t q = 0; q < count; ++q) {
    const float* along = arrays.parameters + q * shape.parameters;
    float* x = at(call_.model.along[q].chain);
    for (std::size_t at_x = 0; at_x < d * all_lanes; ++at_x) {
      const std::size_t i = at_x / all_lanes, lane = at_x % all_lanes;
      const auto path = static_cast<std::size_t>(std::max<std::int64_t>(path_[lane], 0));
      float value = 0;
      if (arrays.x0) value += arrays.x0[q * arrays.x0_direction + path * arrays.x0_path + i];
      if (drawn) value += along[shape.initial_value + i];
      if (drawn && shape.initial == InitialKind::gaussian) {
        value += along[shape.initial_log_std + i] *
                 std::exp(call_.parameters[shape.initial_log_std + i]) * z[at_x];
      }
      x[at_x] = value;
    }
    start_chain(call_.model.along[q].chain);
    std::fill_n(at(call_.model.along[q].sums), 8 * all_lanes, 0.0f);
  }
}

/// One net's share of the derivative of a bias row, in one lane of rows [bias_row, tile_paths].
void DirectionRunner::set_bias_tangent(const TileNet& net, const float* along, const float* context,
                                       const float* context_tangent, float* rows) const {
  const TileLayer& layer = net.layers.front();
  for (int r = 0; r < layer.outputs; ++r) {
    const auto out = static_cast<std::size_t>(r);
    const std::size_t first = layer.weight + out * static_cast<std::size_t>(layer.row_length) +
                              static_cast<std::size_t>(net.context_column());
    double sum = along[layer.bias + out];
    for (std::size_t j = 0; j < static_cast<std::size_t>(net.context); ++j) {
      sum += double{along[first + j]} * context[j];
      if (context_tangent) sum += double{call_.parameters[first + j]} * context_tangent[j];
    }
    rows[static_cast<std::size_t>(net.bias_row + r) * all_lanes] = static_cast<float>(sum);
  }
}

/// The derivative of the bias row W_c c + b along each direction, where a context begins at step k:
/// before the bias rows themselves are set.
void DirectionRunner::set_interval_tangents(const DirectionArrays& arrays, std::size_t count,
                                            int k) {
  const ModelShape& shape = call_.shape;
  if (shape.context() == 0) return;
  const auto contexts = static_cast<std::size_t>(shape.context());
  const auto set = [&](std::size_t q, LaneList lanes, std::size_t interval) {
    const float* along = arrays.parameters + q * shape.parameters;
    for (const std::size_t lane : lanes) {
      const std::size_t row = row_[lane];
      const std::size_t size = static_cast<std::size_t>(shape.intervals()) * contexts;
      const float* c = call_.request.context.data() + row * size + interval * contexts;
      const float* context_tangent = arrays.context
                                         ? arrays.context + q * arrays.context_direction +
                                               row * arrays.context_row + interval * contexts
                                         : nullptr;
      float* to = at(call_.model.along[q].lane_bias) + lane;
      call_.model.for_row_nets(
          [&](const TileNet& net) { set_bias_tangent(net, along, c, context_tangent, to); });
    }
  };
  for (const TileGrid& grid : grids_.all()) {
    const int interval = grid.interval_at(k);
    if (interval == TileGrid::no_interval || interval == grid.interval) continue;
    for (std::size_t q = 0; q < count; ++q) {
      set(q, grid.lanes, static_cast<std::size_t>(interval));
    }
  }
}

/// Calls save(lanes, s) at save steps, after which the interval sums of tangents are cleared, and
/// finish(lanes) where a grid ends. Leaves in `active` which paths were finite.
template <class Save, class Finish>
void DirectionRunner::run_along(const DirectionArrays& arrays, std::size_t count, Save save,
                                Finish finish) {
  const TileModel& model = call_.model;
  clear_sums();
  tile_.directions = arrays.parameters;
  grids_.restart();
  load_initial();
  load_initial_tangents(arrays, count);
  const auto save_and_clear = [&](LaneList lanes, std::size_t s) {
    save(lanes, s);
    for (std::size_t q = 0; q < count; ++q) {
      float* sums = at(model.along[q].sums);
      for (const std::size_t row : {2u, 3u, 6u, 7u}) {
        for (const std::size_t lane : lanes) sums[row * all_lanes + lane] = 0.0f;
      }
    }
  };
  const auto end = [&](LaneList lanes) {
    finish(lanes);
    for (const std::size_t lane : lanes) at(model.active)[lane] = is_finite(lane) ? 1.0f : 0.0f;
  };
  for (int k = 0;;) {
    grids_.pass(k, save_and_clear, end);
    if (k == grids_.end()) break;
    const int stop = grids_.next_change(k, grids_.next_stop(k));
    set_interval_tangents(arrays, count, k);
    set_interval(k);
    call_.kernels.scheme->run_along(model, tile_, k, stop, static_cast<int>(count));
    k = stop;
  }
}

void DirectionRunner::tangents(const DirectionArrays& arrays, std::size_t first, std::size_t count,
                               const BasicOutputs<float>& outputs) {
  const auto d = static_cast<std::size_t>(call_.model.state);
  const std::size_t paths = call_.request.paths;
  const auto for_paths = [&](LaneList lanes, auto each) {
    for (std::size_t q = 0; q < count; ++q) {
      for (const std::size_t lane : lanes) {
        if (!has_path(lane)) continue;
        each(q, lane, (first + q) * paths + static_cast<std::size_t>(path_[lane]));
      }
    }
  };
  run_along(
      arrays, count,
      [&](LaneList lanes, std::size_t s) {
        for_paths(lanes, [&](std::size_t q, std::size_t lane, std::size_t row) {
          const std::size_t to = row * saves() + s;
          const float* x = at(call_.model.along[q].chain) + lane;
          const float* sums = at(call_.model.along[q].sums) + lane;
          for (std::size_t i = 0; i < d; ++i) outputs.states[to * d + i] = x[i * all_lanes];
          if (outputs.interval_energy.empty()) return;
          outputs.interval_energy[to] = sums[2 * all_lanes];
          outputs.interval_martingale[to] = sums[3 * all_lanes];
        });
      },
      [&](LaneList lanes) {
        for_paths(lanes, [&](std::size_t q, std::size_t lane, std::size_t row) {
          outputs.energy[row] = at(call_.model.along[q].sums)[lane];
          outputs.martingale[row] = at(call_.model.along[q].sums)[all_lanes + lane];
        });
      });
}

/// products [tile_paths] += what direction q contributes in these lanes at save step s; s = saves()
/// stands for the sums over the whole path.
void DirectionRunner::add_product(std::size_t q, const BasicCotangents<float>& cotangents,
                                  LaneList lanes, std::size_t s, double* products) const {
  const auto d = static_cast<std::size_t>(call_.model.state);
  const float* sums = at(call_.model.along[q].sums);
  const float* x = at(call_.model.along[q].chain);
  const auto add = [&](std::span<const float> values, std::size_t from, const float* row,
                       std::size_t lane) {
    if (!values.empty()) products[lane] += double{values[from]} * row[lane];
  };
  for (const std::size_t lane : lanes) {
    if (!has_path(lane)) continue;
    const auto path = static_cast<std::size_t>(path_[lane]);
    if (s == saves()) {
      add(cotangents.energy, path, sums, lane);
      add(cotangents.martingale, path, sums + all_lanes, lane);
      continue;
    }
    const std::size_t from = path * saves() + s;
    for (std::size_t i = 0; i < d; ++i)
      add(cotangents.states, from * d + i, x + i * all_lanes, lane);
    add(cotangents.interval_energy, from, sums + 2 * all_lanes, lane);
    add(cotangents.interval_martingale, from, sums + 3 * all_lanes, lane);
  }
}

void DirectionRunner::gradient(const BasicCotangents<float>& cotangents,
                               const BasicGradientOutputs<float>& gradient, std::uint64_t chunk,
                               float* buffer) {
  const std::size_t parameters = call_.shape.parameters;
  const auto d = static_cast<std::size_t>(call_.model.state);
  const auto row_size = static_cast<std::size_t>(call_.shape.context()) *
                        static_cast<std::size_t>(call_.shape.intervals());
  const UnitDirections units{parameters, gradient.x0.empty() ? 0 : d,
                             gradient.context.empty() ? 0 : row_size};
  float* x0 = buffer + directions_at_once * parameters;
  float* context = x0 + directions_at_once * d;
  const DirectionArrays arrays{buffer, x0, d, 0, row_size > 0 ? context : nullptr, row_size, 0};
  double products[directions_at_once][tile_paths];
  for (std::size_t first = 0; first < units.count();) {
    const bool of_parameters = units.is_parameter(first), of_state = units.is_state(first);
    const std::size_t end = of_parameters ? units.parameters
                            : of_state    ? units.parameters + units.state
                                          : units.count();
    const std::size_t count = std::min(directions_at_once, end - first);
    const auto set = [&](float value) {
      for (std::size_t q = 0; q < count; ++q) {
        const std::size_t place = units.place(first + q);
        (of_parameters ? buffer[q * parameters + place]
         : of_state    ? x0[q * d + place]
                       : context[q * row_size + place]) = value;
      }
    };
    set(1.0f);
    for (auto& row : products) std::fill_n(row, tile_paths, 0.0);
    const auto add = [&](LaneList lanes, std::size_t s) {
      for (std::size_t q = 0; q < count; ++q) add_product(q, cotangents, lanes, s, products[q]);
    };
    run_along(arrays, count, add, [&](LaneList lanes) { add(lanes, saves()); });
    set(0.0f);
    for (std::size_t q = 0; q < count; ++q) {
      const std::size_t place = units.place(first + q);
      for (std::size_t lane = 0; lane < all_lanes; ++lane) {
        if (!has_path(lane) || at(call_.model.active)[lane] == 0.0f) continue;
        const double value = products[q][lane];
        if (of_parameters) {
          call_.space.gradients[chunk * parameters + place] += value;
        } else if (of_state) {
          gradient.x0[static_cast<std::size_t>(path_[lane]) * d + place] =
              static_cast<float>(value);
        } else {
          call_.space.context_gradients[(row_[lane] + chunk) * row_size + place] += value;
        }
      }
    }
    first += count;
  }
}

}  // namespace ito::cpu
