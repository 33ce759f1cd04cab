// One path of each thread, as a machine of SchemeStep. A path's rows lie in global memory,
// consecutive over the threads of a block.
#pragma once

#include "kernels/arithmetic/compensated_sum.cuh"
#include "kernels/arithmetic/model_kinds.cuh"
#include "kernels/arithmetic/scheme_step.cuh"
#include "kernels/device/arguments.cuh"
#include "kernels/per_path/arguments.cuh"
#include "kernels/per_path/net.cuh"
#include "kernels/per_path/noise.cuh"
#include "kernels/per_path/outer_sums.cuh"

namespace ito::cuda {

/// As DiffusionEntries.
template <class Shape>
struct ShapeEntries {
  static constexpr bool diagonal = Shape::kDiffusion != DiffusionKind::general &&
                                   Shape::kDiffusion != DiffusionKind::constant_general;
  static constexpr int state = Shape::kState, noise = Shape::kNoise;
  ITO_INLINE static constexpr int count() { return diagonal ? state : state * noise; }
};

/// E and M since the beginning and since the last save.
template <class Number>
struct ThreadSums {
  CompensatedSum<Number> energy{0, 0}, martingale{0, 0};
  CompensatedSum<Number> interval_energy{0, 0}, interval_martingale{0, 0};

  ITO_DEVICE void close_interval() {
    energy.add(interval_energy.value);
    energy.add(-interval_energy.excess);
    martingale.add(interval_martingale.value);
    martingale.add(-interval_martingale.excess);
    interval_energy = interval_martingale = {0, 0};
  }
};

/// Cotangents of E and M over the step at hand.
template <class Number>
struct SumCotangents {
  Number energy, martingale;
};

template <class P, class Shape>
class SchemeThread {
 public:
  using Number = typename P::Number;
  using Scalar = Number;
  using Entries = ShapeEntries<Shape>;
  static constexpr int lanes = 1, lane_step = 1;

  ITO_DEVICE SchemeThread(const PathArguments<Number>& call, const SchemeArguments<Number>& scheme)
      : call_(call),
        rows_(scheme.scratch +
              static_cast<long long>(block_index()) * scheme.rows * scheme_threads +
              thread_index()),
        seed_(call.seed_on_device == nullptr ? call.seed : load_read_only(call.seed_on_device)) {}

  /// Which paths of the call the block has from now on.
  ITO_DEVICE void take_group(int group) {
    tile_ = scheme_tiles * group + static_cast<int>(thread_index()) / 16;
    const TilePaths tile = tile_paths_of(call_.map, static_cast<unsigned long long>(tile_));
    path_ = tile.tile * 16 + thread_index() % 16;
    const long long index = tile.first + static_cast<long long>(thread_index() % 16);
    index_ = tile_ < call_.tiles && tile.has(index) ? index : -1;
    grid_ = path_grid_of(call_, tile.observation);
    if constexpr (Shape::kRow > 0) {
      bias_rows_ = static_cast<long long>(tile.observation) * call_.intervals * Shape::kRow;
    }
  }
  /// Its index in the call, or −1.
  ITO_DEVICE long long index() const { return index_; }
  /// The grid of its path.
  ITO_DEVICE const PathGrid<Number>& grid() const { return grid_; }
  /// Steps of the longest grid of a group.
  ITO_DEVICE int longest(int group) const {
    return longest_grid(call_, scheme_tiles * group, scheme_tiles);
  }
  /// Where the tape has its status.
  ITO_DEVICE long long status_offset() const {
    return 16LL * tile_ + static_cast<long long>(thread_index() % 16);
  }

  ITO_DEVICE Number get(int offset, int row, int) const {
    return rows_[(offset + row) * scheme_threads];
  }
  ITO_DEVICE void put(int offset, int row, int, Number value) const {
    rows_[(offset + row) * scheme_threads] = value;
  }
  ITO_DEVICE const Number* numbers() const { return call_.numbers; }

  ITO_DEVICE BasicStepTime<Number> time_of(int k, Number sign = Number(1)) const {
    const GridStep<Number> step = grid_.steps[k];
    return {k, step.time, step.step, step.root_step, sign};
  }

  ITO_DEVICE void load_initial(int chain, int carried) const {
    ITO_ROLLED
    for (int i = 0; i < Shape::kState; ++i) {
      Number x = Number(0);
      if (call_.x0 != nullptr) {
        if (index_ >= 0) x = call_.x0[(call_.x0_shared ? 0 : index_ * Shape::kState) + i];
      } else if constexpr (Shape::kInitial != InitialKind::point) {
        x = numbers()[Shape::kInitialValue + i];
        if constexpr (Shape::kInitial == InitialKind::gaussian) {
          x = fma(exp(numbers()[Shape::kInitialStd + i]), initial_normal(i), x);
        }
      }
      start_chain(chain, carried, i, x);
    }
  }
  /// Component i of a chain, or of its tangent: nothing has been rounded yet, and x̂_0 is x_0.
  ITO_DEVICE void start_chain(int chain, int carried, int i, Number x) const {
    put(chain, i, 0, x);
    put(chain, Shape::kState + i, 0, Number(0));
    if (carried == 2 * Shape::kState) return;
    put(chain, 2 * Shape::kState + i, 0, x);
    put(chain, 3 * Shape::kState + i, 0, Number(0));
  }
  /// Adds the gradient of the initial distribution's parameters, given the cotangent of X_0.
  ITO_DEVICE void initial_gradient(int cotangent) {
    if constexpr (Shape::kInitial != InitialKind::point) {
      add_vector(Shape::kInitialParameter, Shape::kState,
                 [&](int i) { return get(cotangent, i, 0); });
      if constexpr (Shape::kInitial == InitialKind::gaussian) {
        add_vector(Shape::kStdParameter, Shape::kState, [&](int i) {
          return get(cotangent, i, 0) * exp(numbers()[Shape::kInitialStd + i]) * initial_normal(i);
        });
      }
    }
  }

  /// z, and ζ where the scheme asks for it, of step k.
  ITO_DEVICE void load_noise(const SchemeTable<Number>& scheme, int k) const {
    const auto step = static_cast<unsigned>(k);
    ITO_ROLLED
    for (int c = 0; c < Shape::kNoise; c += 2) {
      StepNoisePair<Number> noise{};
      if (call_.refinement != 0) {
        noise = refined_pair<P>(seed_, path_, step, c / 2, call_.refinement);
      } else {
        const auto z = path_normals<P>(seed_, path_, step, c / 2, 0);
        NormalPair<Number> area{0, 0};
        if (scheme.needs_area) area = path_normals<P>(seed_, path_, step, c / 2, area_stream);
        noise = {{z.first, area.first}, {z.second, area.second}};
      }
      const bool both = c + 1 < Shape::kNoise;
      put(scheme.z, c, 0, noise.first.z);
      if (both) put(scheme.z, c + 1, 0, noise.second.z);
      if (!scheme.needs_area) continue;
      put(scheme.area, c, 0, noise.first.area);
      if (both) put(scheme.area, c + 1, 0, noise.second.area);
    }
  }

  /// Before step k of a block's way back, of which the thread's path may have none.
  ITO_DEVICE void open_step(const SchemeTable<Number>& scheme, int k) {
    goes_on = grid_.has(k);
    load_noise(scheme, k);
  }

  ITO_DEVICE void evaluate(const StageRow<Number>& stage, const ValuePlaces<int>& at, int k,
                           Number t, bool trace) {
    if (stage.needs_drift) {
      if constexpr (Shape::Drift::kLayers > 0) {
        thread_net<P, typename Shape::Drift>(*this, at.point, t, net_row<typename Shape::Drift>(k),
                                             trace, [&](int i, Number b) { put(at.b, i, 0, b); });
      } else {
        for (int i = 0; i < Shape::kState; ++i) put(at.b, i, 0, Number(0));
      }
    }
    if (stage.needs_diffusion) evaluate_diffusion(at, t, trace);
    if (!stage.needs_control) return;
    if constexpr (Shape::kControl == ControlKind::constant) {
      for (int j = 0; j < Shape::kNoise; ++j) put(at.u, j, 0, numbers()[Shape::kControlValue + j]);
    } else {
      thread_net<P, typename Shape::Control>(
          *this, at.point, t, net_row<typename Shape::Control>(k), trace, [&](int j, Number u) {
            if constexpr (Shape::kControl == ControlKind::drift) {
              u = (u - get(at.b, j, 0)) / get(at.sigma, j, 0);
            }
            put(at.u, j, 0, u);
          });
    }
  }

  ITO_DEVICE void pull_back(const StageRow<Number>& stage, const ValuePlaces<int>& at,
                            const ValuePlaces<int>& cotangents, int k, Number t, bool to_point,
                            bool parameters) {
    const int to = to_point ? cotangents.point : -1;
    step_ = k;
    if (stage.needs_control) {
      if constexpr (Shape::kControl == ControlKind::drift) {  // u = (v − b)/σ
        for (int j = 0; j < Shape::kNoise; ++j) {
          const Number v = get(cotangents.u, j, 0) / get(at.sigma, j, 0);
          put(cotangents.u, j, 0, v);
          put(cotangents.b, j, 0, get(cotangents.b, j, 0) - v);
          put(cotangents.sigma, j, 0, get(cotangents.sigma, j, 0) - v * get(at.u, j, 0));
        }
      }
      const auto cotangent = [&](int j) { return get(cotangents.u, j, 0); };
      if constexpr (Shape::kControl == ControlKind::constant) {
        if (parameters) add_vector(Shape::kControlParameter, Shape::kNoise, cotangent);
      }
      thread_net_back<P, typename Shape::Control>(*this, at.point, to, t, parameters, cotangent);
    }
    if (stage.needs_drift) {
      thread_net_back<P, typename Shape::Drift>(*this, at.point, to, t, parameters,
                                                [&](int i) { return get(cotangents.b, i, 0); });
    }
    if (!stage.needs_diffusion) return;
    if constexpr (Shape::kSigmaCount > 0) {
      // By the entries of σ: `reduce_gradient` knows their slopes.
      if (parameters) {
        add_vector(Shape::kSigmaParameter, Shape::kSigmaCount,
                   [&](int e) { return get(cotangents.sigma, e, 0); });
      }
    }
    thread_net_back<P, typename Shape::Diffusion>(*this, at.point, to, t, parameters, [&](int e) {
      return Number(Shape::kDiffusionScale) * get(cotangents.sigma, e, 0);
    });
  }

  ITO_DEVICE void add_sums(int, Number energy, Number martingale) {
    sums.interval_energy.add(energy);
    sums.interval_martingale.add(martingale);
  }
  ITO_DEVICE Number energy_cotangent(int) const { return sum_cotangents.energy; }
  ITO_DEVICE Number martingale_cotangent(int) const { return sum_cotangents.martingale; }

  /// Where a layer's gradient goes; for thread_net_back.
  template <class Net, int kLayer, class Delta, class Input>
  ITO_DEVICE void add_layer(int outputs, int inputs, Delta delta, Input input) {
    constexpr int kWeight = Net::kSpec.weight(kLayer), kBias = Net::kSpec.bias(kLayer);
    constexpr int kColumns = Net::kSpec.columns(kLayer);
    add_outer<Number>(
        counts(), outputs, inputs, delta, input,
        [&](int i, int j, Number sum) {
          block_sums[j < inputs ? kWeight + i * kColumns + j : kBias + i] += sum;
        },
        [&](const auto& staged, int first, int count) {
          if constexpr (kLayer == 0 && Net::kContext) {
            add_bias_rows(
                staged, [this](int tile) { return interval_of(tile); }, Net::kRowBegin + first,
                count);
          }
        });
  }
  /// Adds each tile's share of the gradient of `count` numbers of its bias row in interval(tile of
  /// the call), from `first` on: sums of staged columns.
  template <class Staged, class Interval>
  ITO_DEVICE void add_bias_rows(const Staged& staged, Interval interval, int first, int count) {
    ITO_ROLLED
    for (int n = static_cast<int>(thread_index()); n < scheme_tiles * count; n += scheme_threads) {
      const int i = n % count, tile = n / count;
      const int offset = tile_ - static_cast<int>(thread_index()) / 16 + tile;
      if (offset >= call_.tiles) continue;
      Number sum = Number(0);
      ITO_ROLLED
      for (int path = 16 * tile; path < 16 * tile + 16; ++path) {
        sum += staged.load(static_cast<unsigned>(path * outer_stride + i));
      }
      row_sums[(static_cast<long long>(offset) * call_.intervals + interval(offset)) * Shape::kRow +
               first + i] += sum;
    }
  }

  ThreadSums<Number> sums;
  SumCotangents<Number> sum_cotangents{};
  bool finite = false;           ///< whether this path has a gradient
  bool goes_on = true;           ///< whether the step at hand is one of its grid
  Number* block_sums = nullptr;  ///< [parameters]
  Number* row_sums = nullptr;    ///< [tiles, intervals, row]

 protected:
  ITO_DEVICE Number initial_normal(int i) const {
    const auto z = path_normals<P>(seed_, path_, 0, i / 2, 1);
    return i % 2 == 0 ? z.first : z.second;
  }
  /// Where the row of a context that is in force at step k lies among the bias rows.
  ITO_DEVICE long long bias_row(int k) const {
    return bias_rows_ + grid_.steps[k].interval * Shape::kRow;
  }

  /// That of a net; null of one that takes no context.
  template <class Net>
  ITO_DEVICE const Number* net_row(int k) const {
    if constexpr (Net::kContext) return call_.bias_rows + bias_row(k) + Net::kRowBegin;
    return nullptr;
  }

  const PathArguments<Number>& call_;

 private:
  /// Whether its path adds to gradients.
  ITO_DEVICE bool counts() const { return finite && goes_on; }
  /// The interval of the step at hand, of any tile of the block.
  ITO_DEVICE int interval_of(int tile) const {
    const auto index = static_cast<unsigned long long>(tile);
    const long long row = call_.own_grids == 0
                              ? 0
                              : static_cast<long long>(tile_paths_of(call_.map, index).observation);
    return call_.grid[row * call_.steps + step_].interval;
  }

  ITO_DEVICE void evaluate_diffusion(const ValuePlaces<int>& at, Number t, bool trace) {
    if constexpr (Shape::Diffusion::kLayers > 0) {
      thread_net<P, typename Shape::Diffusion>(
          *this, at.point, t, nullptr, trace, [&](int e, Number value) {
            put(at.sigma, e, 0,
                fma(Number(Shape::kDiffusionScale), value, Number(Shape::kDiffusionFloor)));
          });
    } else {
      ITO_ROLLED
      for (int e = 0; e < Entries::count(); ++e) {
        if constexpr (Shape::kDiffusion == DiffusionKind::identity) {
          put(at.sigma, e, 0, Number(Shape::kDiffusionScale));
        } else {
          put(at.sigma, e, 0, numbers()[Shape::kSigma + e]);
        }
      }
    }
  }

  template <class Values>
  ITO_DEVICE void add_vector(int first, int count, Values values) {
    add_outer<Number>(
        counts(), count, 0, values, [](int) { return Number(0); },
        [&](int i, int, Number sum) { block_sums[first + i] += sum; },
        [](const auto&, int, int) {});
  }

  Number* rows_;
  unsigned long long seed_;
  unsigned long long path_ = 0;  ///< its global index
  long long index_ = -1;
  PathGrid<Number> grid_{};
  int tile_ = 0, step_ = 0;
  long long bias_rows_ = 0;  ///< where those of its observation begin
};

}  // namespace ito::cuda
