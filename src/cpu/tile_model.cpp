#include "cpu/tile_model.hpp"

#include <algorithm>

#include "kernels/arithmetic/activation.cuh"

namespace ito::cpu {
namespace {

/// A weight matrix whose short side has at most so many rows needs no transpose for its gradient.
constexpr int thin_side = 8;

}  // namespace

std::size_t TileLayer::weight_sums_size() const {
  if (thin) return static_cast<std::size_t>(inputs * outputs * sum_lanes);
  return static_cast<std::size_t>(wide ? inputs * padded(outputs) : outputs * padded(inputs));
}

std::size_t TileLayer::weight_sum(int r, int k) const {
  if (thin) return static_cast<std::size_t>((wide ? k * outputs + r : r * inputs + k) * sum_lanes);
  return static_cast<std::size_t>(wide ? k * padded(outputs) + r : r * padded(inputs) + k);
}

TileNet::TileNet(const NetShape& shape, ScratchLayout& scratch, ScratchLayout& sums)
    : time(shape.time_inputs > 0), context(shape.context_inputs) {
  int widest = shape.state_inputs;
  for (const LayerShape& from : shape.layers) {
    const bool first = layers.empty();
    TileLayer layer{};
    layer.inputs = first ? shape.state_inputs : from.inputs;
    layer.outputs = from.outputs;
    layer.row_length = from.inputs;
    layer.weight = from.weight;
    layer.bias = from.bias;
    layer.activation = from.activation;
    layer.wide = layer.outputs >= layer.inputs;
    layer.thin = std::min(layer.inputs, layer.outputs) <= thin_side;
    layer.by_lane = first && context > 0;
    layer.values = scratch.rows(layer.outputs);
    layer.slopes =
        scratch.rows(slope_source(layer.activation) == SlopeSource::value ? 0 : layer.outputs);
    layer.weight_sums = sums.floats(layer.weight_sums_size());
    layer.bias_sums = sums.floats(static_cast<std::size_t>(layer.outputs * layer.bias_sum_lanes()));
    widest = std::max(widest, layer.outputs);
    layers.push_back(layer);
  }
  const int first_outputs = layers.front().outputs;
  first_bias = scratch.floats(static_cast<std::size_t>(first_outputs));
  time_sums = time ? sums.floats(static_cast<std::size_t>(first_outputs * sum_lanes)) : 0;
  for (std::size_t& place : delta) place = scratch.rows(widest);
  transposed = scratch.rows(padded(widest));
}

double take_sum(float* lanes, int count) {
  double sum = 0;
  for (int lane = 0; lane < count; ++lane) sum += lanes[lane];
  std::fill_n(lanes, count, 0.0f);
  return sum;
}

void take_net_sums(const TileNet& net, float* scratch, double* gradient, std::size_t base) {
  for (const TileLayer& layer : net.layers) {
    const auto length = static_cast<std::size_t>(layer.row_length);
    double* weights = gradient + (layer.weight - base);
    const bool first = &layer == &net.layers.front();
    for (int r = 0; r < layer.outputs; ++r) {
      const auto row = static_cast<std::size_t>(r);
      for (int k = 0; k < layer.inputs; ++k) {
        weights[row * length + static_cast<std::size_t>(k)] += take_sum(
            scratch + layer.weight_sums + layer.weight_sum(r, k), layer.weight_sum_lanes());
      }
      if (first && net.time) {
        weights[row * length + static_cast<std::size_t>(net.time_column())] +=
            take_sum(scratch + net.time_sums + row * sum_lanes, sum_lanes);
      }
      if (layer.by_lane) continue;
      gradient[layer.bias - base + row] +=
          take_sum(scratch + layer.bias_sums + row * sum_lanes, sum_lanes);
    }
  }
}

TileModel::TileModel(const ModelShape& shape, const Use& use)
    : state(shape.state),
      noise(shape.noise),
      steps(shape.steps),
      entries(shape),
      control(shape.control),
      constant_diffusion(!shape.diffusion_net && shape.diffusion != DiffusionKind::identity),
      diffusion_scale(static_cast<float>(shape.diffusion_scale)),
      diffusion_floor(static_cast<float>(shape.diffusion_floor)),
      control_value(shape.control_value),
      diffusion_value(shape.diffusion_value),
      grid(grid_steps<float>(shape)),
      bias_row(shape.bias_row()) {
  parameters = shape.parameters;
  // Twice: the first pass measures the sums, the second places the rest behind them.
  ScratchLayout sums;
  for (int pass = 0; pass < 2; ++pass) {
    scratch = ScratchLayout(sums.size());
    sums = ScratchLayout();
    control_sums = sums.rows(control == ControlKind::constant ? noise : 0);
    diffusion_sums = sums.rows(constant_diffusion ? entries.count() : 0);
    if (shape.drift) drift_net.emplace(*shape.drift, scratch, sums);
    if (shape.diffusion_net) diffusion_net.emplace(*shape.diffusion_net, scratch, sums);
    if (shape.control_net) control_net.emplace(*shape.control_net, scratch, sums);
  }
  sums_size = sums.size();
  if (control_net && drift_net && drift_net->context > 0) {
    control_net->bias_row = drift_net->layers.front().outputs;
  }
  const auto rows = [this](int count) { return scratch.rows(count); };
  scheme = make_scheme(shape);
  carried = scheme->carried(state);
  stored = scheme->stored(state);
  // One stage without conversion is TileStep's own step.
  if (!use.scheme && shape.solver == Solver::euler_maruyama && scheme->stages.size() == 1) {
    scheme.reset();
    x = rows(carried);
    lambda = rows(carried);
  } else {
    places.emplace(*scheme, entries, true, rows);
    x = places->chain;
    lambda = places->cotangent;
  }
  if (use.field) {
    field = make_field(shape);
    field_places.emplace(*field, entries, true, rows);
    field_places->chain = x;
    field_places->cotangent = lambda;
    kept = rows(2 * state);
    kept_cotangent = rows(2 * state);
  }
  for (int q = 0; q < use.directions; ++q) {
    Along direction{{}, rows(carried), rows(8), rows(bias_row)};
    for (const Stage& stage : scheme->stages) {
      direction.stages.push_back(SchemePlaces::reserve(stage, entries, rows));
    }
    along.push_back(std::move(direction));
  }
  for (std::size_t* place : {&increment, &b_cotangent}) *place = scratch.rows(state);
  for (std::size_t* place : {&z, &w, &u, &u_cotangent, &spare_first, &spare_second, &spare_area}) {
    *place = scratch.rows(noise);
  }
  for (std::size_t* place : {&energy, &martingale, &interval_energy, &interval_martingale}) {
    *place = scratch.rows(2);
  }
  for (std::size_t* place : {&energy_cotangent, &martingale_cotangent, &active, &lane_time, &lane_h,
                             &lane_root_h, &lane_stage_time}) {
    *place = scratch.rows(1);
  }
  sigma_cotangent = scratch.rows(entries.count());
  lane_bias = rows(bias_row);
}

}  // namespace ito::cpu
