// The reverse-time kernel: each warp of a block runs 16 paths backwards through the time loop;
// where warps share units, those of the same tile of 16 do the same, and one of them writes. States
// come from the tape (or are recomputed from its checkpoints), noise is generated again,
// activations are recomputed, the costate λ stays in registers, and the gradient of every parameter
// is summed on chip until the block's last path. Blocks take fixed runs of groups of paths, so that
// sums depend on the number of paths alone.
#pragma once

#include "kernels/arithmetic/scheme.cuh"
#include "kernels/fused/gradient_sums.cuh"
#include "kernels/fused/mixing_gradient.cuh"
#include "kernels/fused/segment.cuh"
#include "kernels/fused/shared_gradient.cuh"

namespace ito::cuda {

/// The adjoint of 16 paths. `Nets` evaluates nets and takes their gradients, `Sums` holds the
/// gradients of parameters.
template <class P, class Shape, class Nets, class Sums>
class WarpAdjoint {
  using Number = typename P::Number;
  static constexpr int kStates = state_tiles<Shape>, kNoises = noise_tiles<Shape>;
  using States = Tile<Number>[kStates];
  using Noises = Tile<Number>[kNoises];
  using Drift = typename Shape::Drift;
  using Diffusion = typename Shape::Diffusion;
  using Control = typename Shape::Control;
  static constexpr bool kThroughDrift = Shape::kControl == ControlKind::drift;
  static constexpr bool kHasRow = Shape::kRow > 0;
  static constexpr int kRowTiles = Shape::kRow / 8;

 public:
  ITO_DEVICE WarpAdjoint(const AdjointArguments<Number>& arguments, Nets& nets, Sums& sums,
                         int index)
      : arguments_(arguments),
        call_(arguments.path),
        nets_(nets),
        sums_(sums),
        index_(index),
        grid_(call_, paths().observation),
        noise_(call_, paths().tile) {
    if constexpr (kHasRow) bias_rows_ = paths().bias_rows;
    if constexpr (Shape::kOwnGrids && Nets::kStages) lane_row_ = row_of_lane();
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      finite_[r] = paths().path[r] >= 0 &&
                   call_.tape_status[16LL * index + static_cast<int>(tile_row()) + 8 * r] == 0;
    }
  }

  ITO_DEVICE void run() {
    ITO_UNROLL
    for (int n = 0; n < kStates; ++n) lambda_.value[n] = uniform_tile(Number(0));
    lambda_.start_from_zero_excess();
    row_sums_.clear();
    save_ = call_.saves;
    const int steps = block_steps();
    load_sum_cotangents(steps);
    add_saved_cotangents(steps);
    ITO_ROLLED
    for (int end = steps; end > 0;) {
      const int begin = call_.stride == 1 ? 0 : (end - 1) / call_.stride * call_.stride;
      const Tile<Number>* states =
          states_from<P, Shape>(arguments_, grid_, nets_.evaluator, noise_, index_, begin, end);
      ITO_ROLLED
      for (int k = end - 1; k >= begin; --k) {
        reverse_step(k, states + static_cast<long long>(k - begin) * stored_stride<Shape>);
        add_saved_cotangents(k);
      }
      end = begin;
    }
    store_initial_cotangents();
  }

  // The parts of `run`, for kernels that take one step a launch.
  ITO_DEVICE CompensatedTiles<Shape, Number>& costate() { return lambda_; }

  /// Continues at x_k, where `saves_left` save steps remain, unless grids are observations' own.
  ITO_DEVICE void resume(int k, int saves_left) {
    row_sums_.clear();
    save_ = saves_left;
    if constexpr (Shape::kOwnGrids) save_ = saves_until(grid_.own(), call_.saves, k);
    load_sum_cotangents(k);
  }
  /// Whether step k is one of the warp's grid; from now on masks are for it.
  ITO_DEVICE bool take_step(int k) {
    has_step_ = grid_.has(k);
    return has_step_;
  }

  /// Zero where a path is not finite, or its grid has ended.
  ITO_DEVICE Tile<Number> mask(Tile<Number> tile) const {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const bool counts = finite_[e / 2] && (!Shape::kOwnGrids || has_step_);
      tile.v[e] = counts ? tile.v[e] : Number(0);
    }
    return tile;
  }

  /// At step k: adds the cotangent of a saved state to λ.
  ITO_DEVICE void add_saved_cotangents(int k) {
    if constexpr (Shape::kOwnGrids) {
      if (k > grid_.end()) return;
      if (k == grid_.end()) load_sum_cotangents();
    }
    grid_.unsave_at(k, save_, [&](int save) { add_saved(save); });
  }

  /// Noise at step k and, for a drift control, b and σ at x_k.
  ITO_DEVICE void open_step(int k) {
    const GridStep<Number> step = grid_.step(k);
    size_ = {step.step, step.root_step};
    if constexpr (Shape::kOwnGrids) {
      if (!take_step(k)) size_ = {Number(0), Number(1)};  // where 1/√h is a number
      if constexpr (Nets::kStages)
        nets_.lane_time = call_.grid[static_cast<long long>(lane_row_) * call_.steps + k].time;
    }
    input_ = {step.time, bias_rows_ + step.interval * Shape::kRow};
    ITO_UNROLL
    for (int n = 0; n < kNoises; ++n) {
      z_[n] = noise_.at(k, n);
    }
    if constexpr (kThroughDrift) evaluate_drift<P, Shape>(nets_.evaluator, input_, x_, b_);
    if constexpr (!mixing_diffusion<Shape>()) {
      evaluate_diagonal<P, Shape>(nets_.evaluator, input_, x_, sigma_);
    }
  }

  ITO_DEVICE void pull_back(Carry carry) {
    nets_.weights = carry.parameters;
    States lambda, b_cotangent, sigma_cotangent;
    Noises omega;
    ITO_UNROLL
    for (int n = 0; n < kStates; ++n) {
      lambda[n] = carry.state ? lambda_.value[n] : uniform_tile(Number(0));
      sigma_cotangent[n] = uniform_tile(Number(0));
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) b_cotangent[n].v[e] = size_.h * lambda[n].v[e];
    }
    make_omega(lambda, omega);
    pull_back_control(carry, lambda, omega, b_cotangent, sigma_cotangent);
    if (!carry.state && !kThroughDrift) return;
    pull_back_drift(b_cotangent);
    pull_back_diffusion(carry, lambda, sigma_cotangent);
  }

  /// At step 0: λ is the cotangent of x_0.
  ITO_DEVICE void store_initial_cotangents() {
    has_step_ = true;
    if (!writes_tile<Shape>()) return;
    if (arguments_.x0_gradient != nullptr) {
      const auto own = paths();
      ITO_UNROLL
      for (int n = 0; n < kStates; ++n) {
        ITO_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int channel = channel_of(n, e);
          const long long path = own.path[e / 2];
          if (path >= 0 && channel < Shape::kState) {
            arguments_.x0_gradient[path * Shape::kState + channel] =
                finite_[e / 2] ? lambda_.value[n].v[e] : Number(0);
          }
        }
      }
    }
    if constexpr (Shape::kInitial != InitialKind::point) {
      if (call_.x0 != nullptr) return;
      ITO_UNROLL
      for (int n = 0; n < kStates; ++n) {
        sums_.initial.add(n, mask(lambda_.value[n]));
        if constexpr (Shape::kInitial == InitialKind::gaussian) {
          const auto log_std = broadcast_row(nets_.evaluator.parameters, Shape::kInitialStd, n);
          auto part =
              within<Shape::kState>(normal_tile<P>(seed_of(call_), paths().tile, 0, n, 1), n);
          ITO_UNROLL
          for (int e = 0; e < 4; ++e) part.v[e] *= exp(log_std.v[e]) * lambda_.value[n].v[e];
          sums_.deviation.add(n, mask(part));
        }
      }
    }
  }

 private:
  /// Steps of the longest grid of the block's tiles, which go back together.
  ITO_DEVICE int block_steps() const {
    return TileGrid<Shape, Number>::longest(call_, index_ / Shape::kTiles * Shape::kTiles,
                                            Shape::kTiles);
  }

  /// The observation of the block's tile whose number this lane has: they are fewer than lanes.
  ITO_DEVICE int row_of_lane() const {
    constexpr int kTiles = Shape::kTiles;
    const int tile = index_ / kTiles * kTiles + static_cast<int>(lane_index()) % kTiles;
    return static_cast<int>(
        tile_paths_of(call_.map, static_cast<unsigned long long>(tile)).observation);
  }

  ITO_DEVICE void add_saved(int save) {
    saved_ = true;
    if (arguments_.states != nullptr && !arguments_.detach_state) {
      const auto own = paths();
      ITO_UNROLL
      for (int n = 0; n < kStates; ++n) {
        ITO_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int channel = channel_of(n, e);
          if (!finite_[e / 2] || channel >= Shape::kState) continue;
          const long long row = own.path[e / 2] * call_.saves + save;
          add_of_any_size(lambda_.value[n].v[e], lambda_.excess[n].v[e],
                          arguments_.states[row * Shape::kState + channel]);
        }
      }
    }
    load_sum_cotangents();
  }

  /// Made again where it is needed, which is seldom: registers are few.
  ITO_DEVICE WarpPaths<Number> paths() const {
    return WarpPaths<Number>::template of<Shape>(call_, index_);
  }

  /// Those of x_k; zero where the grid ends before it.
  ITO_DEVICE void load_sum_cotangents(int k) {
    if (!Shape::kOwnGrids || k <= grid_.end()) return load_sum_cotangents();
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) energy_[r] = martingale_[r] = Number(0);
  }
  ITO_DEVICE void load_sum_cotangents() {
    const auto own = paths();
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      energy_[r] = martingale_[r] = Number(0);
      if (!finite_[r]) continue;
      const long long path = own.path[r];
      if (arguments_.energy != nullptr) energy_[r] = arguments_.energy[path];
      if (arguments_.martingale != nullptr) martingale_[r] = arguments_.martingale[path];
      if (save_ == call_.saves) continue;
      const long long at = path * call_.saves + save_;
      if (arguments_.interval_energy != nullptr) energy_[r] += arguments_.interval_energy[at];
      if (arguments_.interval_martingale != nullptr) {
        martingale_[r] += arguments_.interval_martingale[at];
      }
    }
  }

  /// λ: cotangent of x_{k+1} → cotangent of x_k.
  ITO_DEVICE void reverse_step(int k, const Tile<Number>* entry) {
    read_again();
    take_step(k);
    if (index_ < call_.tiles) load_state<Shape>(entry, x_);
    ITO_UNROLL
    for (int n = 0; n < kStates; ++n) {
      x_[n] = mask(x_[n]);  // and zero where a warp has no paths
      x_cotangent_[n] = uniform_tile(Number(0));
    }
    choose_units(k);
    open_step(k);
    const bool detached = arguments_.detach_state != 0;
    if constexpr (Shape::kSplit) {
      ITO_ROLLED
      for (int pass = detached ? 1 : 0; pass < 2; ++pass) {
        pull_back(pass == 0 ? Carry::martingale_through_path() : Carry::step(detached, true));
      }
    } else {
      pull_back(Carry::step(detached, false));
    }
    if (!detached && grid_.has(k)) {
      ITO_UNROLL
      for (int n = 0; n < kStates; ++n) lambda_.add(n, x_cotangent_[n]);
    }
    if constexpr (kHasRow) {
      const int interval = grid_.step(k).interval;
      if (k == 0 || grid_.step(k - 1).interval != interval) store_row(interval);
    }
  }

  /// Units are chosen anew where cotangents come in and every few steps, when what registers have
  /// summed goes to memory; that of states also where one leaves f16's range. Waits until no warp
  /// reads what the step before has staged.
  ITO_DEVICE void choose_units(int k) {
    if constexpr (Shape::kOwnGrids && has_units<P>()) saved_ = block_any(saved_);
    const bool due = saved_ || nets_.check_again || k % steps_in_registers == 0;
    nets_.check = due;
    nets_.check_again = saved_ = false;
    if constexpr (!has_units<P>()) {
      nets_.settle();
    } else {
      Number& unit = nets_.evaluator.state_unit;
      const Number own = largest(x_);
      nets_.settled = true;
      if (!block_any(!(own * unit < Number(65504))) && !due) return;
      const Number wanted = unit_for(block_max<Shape>(own), unit);
      if (k % steps_in_registers != 0 && wanted == unit) return;
      sums_.flush(nets_.sums, unit);
      unit = wanted;
    }
  }

  /// ω = σᵀλ.
  ITO_DEVICE void make_omega(const States& lambda, Noises& omega) {
    if constexpr (Shape::kDiffusion == DiffusionKind::constant_general) {
      using Product = typename P::Forward;
      Number unit = Number(1);  // of the warp, that of λ: units.cuh
      if constexpr (has_units<P>()) unit = unit_of(warp_max(largest(lambda)), unit);
      typename Product::Operand operands[block_count<Product>(kStates)];
      make_operands<Product, kStates>(operands, [&](int n) {
        Tile<Number> tile = uniform_tile(Number(0));
        ITO_UNROLL
        for (int e = 0; e < 4 && n < kStates; ++e) {
          tile.v[e] = lambda[n < kStates ? n : 0].v[e] * unit;
        }
        return tile;
      });
      multiply_tiles<Product, kStates, kNoises>(
          operands,
          [&](int i) {
            return nets_.evaluator.parameters.fragment(Diffusion::layer(0).transposed + i);
          },
          [](int) { return uniform_tile(Number(0)); },
          [&](int n, const Tile<Number>& sum) {
            ITO_UNROLL
            for (int e = 0; e < 4; ++e) omega[n].v[e] = sum.v[e] * reciprocal(unit);
          });
    } else if constexpr (Shape::kDiffusion == DiffusionKind::general) {
      ITO_UNROLL
      for (int n = 0; n < kNoises; ++n) omega[n] = uniform_tile(Number(0));
      Pair<Number> of_row{};
      nets_.evaluator.template net<Diffusion>(
          input_, x_, [&](int row, int n, const Tile<Number>& z) {
            if (n == 0) of_row = broadcast_channel(lambda, row);
            const auto sigma = scaled_sigma<Shape>(activate<P, Diffusion::kOutput>(z).value);
            ITO_UNROLL
            for (int e = 0; e < 4; ++e) {
              omega[n].v[e] = fma(sigma.v[e], of_row.v[e / 2], omega[n].v[e]);
            }
          });
    } else {
      ITO_UNROLL
      for (int n = 0; n < kNoises; ++n) {
        ITO_UNROLL
        for (int e = 0; e < 4; ++e) omega[n].v[e] = sigma_[n].v[e] * lambda[n].v[e];
      }
    }
  }

  /// The cotangent of u in tile n; w goes with it.
  ITO_DEVICE Tile<Number> cotangent_of_control(int n, const Tile<Number>& u,
                                               const Tile<Number>& omega, Carry carry) {
    Tile<Number> out;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const Number energy = carry.energy ? energy_[e / 2] : Number(0);
      const Number martingale = carry.martingale ? martingale_[e / 2] : Number(0);
      w_[n].v[e] = increment(size_, u.v[e], z_[n].v[e]);
      out.v[e] = control_cotangent(size_, omega.v[e], u.v[e], z_[n].v[e], energy, martingale);
    }
    if constexpr (Shape::kOwnGrids) {
      w_[n] = mask(w_[n]);
      return mask(out);
    }
    return out;
  }

  /// Cotangents of a net's outputs before their activation, `kOutput`. Costates and cotangents of
  /// sums of a path that is not finite are zero from the start, and its states taken as zero; but
  /// there a slope may overflow.
  template <Activation kOutput>
  ITO_DEVICE Tile<Number> through_output(const Tile<Number>& cotangent,
                                         const Tile<Number>& slope) const {
    Tile<Number> delta;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) delta.v[e] = cotangent.v[e] * slope.v[e];
    return Shape::kOwnGrids || kOutput == Activation::exp ? mask(delta) : delta;
  }

  /// The gradient of a constant diagonal σ.
  ITO_DEVICE void add_sigma_gradient(Carry carry, int n, const States& lambda,
                                     const States& extra) {
    if constexpr (Shape::kDiffusion == DiffusionKind::constant_diagonal) {
      if (carry.parameters && writes_tile<Shape>())
        sums_.sigma.add(n, diagonal_cotangent(n, lambda, extra));
    }
  }

  ITO_DEVICE void pull_back_control(Carry carry, const States& lambda, const Noises& omega,
                                    States& b_cotangent, States& sigma_cotangent) {
    if constexpr (Control::kLayers > 0) {
      net_gradient<P, Shape, Control, false>(
          nets_, sums_.control, input_, x_, x_cotangent_,
          [&](int, int n, const Tile<Number>& z) {
            const auto f = activate<P, Control::kOutput>(z);
            Tile<Number> u, inverse;
            if constexpr (kThroughDrift) {  // u = (v − b)/σ; σ may be zero where a path ended
              inverse = mask(inverse_sigma<P, Shape>(nets_.evaluator.parameters, n, sigma_[n]));
              u = control_of_drift<Shape, Control::kOutput>(n, f.value, b_[n], inverse);
            } else {
              u = within<Shape::kNoise>(f.value, n);
            }
            Tile<Number> cotangent = cotangent_of_control(n, u, omega[n], carry);
            if constexpr (kThroughDrift) {
              ITO_UNROLL
              for (int e = 0; e < 4; ++e) {
                cotangent.v[e] = cotangent.v[e] * inverse.v[e];
                b_cotangent[n].v[e] -= cotangent.v[e];
                sigma_cotangent[n].v[e] -= cotangent.v[e] * u.v[e];
              }
            }
            add_sigma_gradient(carry, n, lambda, sigma_cotangent);
            return through_output<Control::kOutput>(cotangent, f.slope);
          },
          [&](int n, const Tile<Number>& delta) {
            if constexpr (kHasRow) {
              if (carry.parameters) row_sums_.add(n, delta);
            }
          });
    } else {
      Noises u;
      evaluate_control<P, Shape>(nets_.evaluator, input_, x_, b_, sigma_, u);
      ITO_UNROLL
      for (int n = 0; n < kNoises; ++n) {
        const Tile<Number> cotangent = cotangent_of_control(n, u[n], omega[n], carry);
        add_sigma_gradient(carry, n, lambda, sigma_cotangent);
        if constexpr (Shape::kControl == ControlKind::constant) {
          if (carry.parameters && writes_tile<Shape>()) sums_.control_value.add(n, cotangent);
        }
      }
    }
  }

  ITO_DEVICE void pull_back_drift(const States& cotangent) {
    if constexpr (Drift::kLayers > 0) {
      net_gradient<P, Shape, Drift, kThroughDrift>(
          nets_, sums_.drift, input_, x_, x_cotangent_,
          [&](int, int n, const Tile<Number>& z) {
            return through_output<Drift::kOutput>(cotangent[n],
                                                  activate<P, Drift::kOutput>(z).slope);
          },
          [](int, const Tile<Number>&) {});
    }
  }

  /// `extra`: the cotangent of a diagonal σ that comes through a drift control.
  ITO_DEVICE void pull_back_diffusion(Carry carry, const States& lambda, const States& extra) {
    if constexpr (Shape::kDiffusion == DiffusionKind::diagonal) {
      net_gradient<P, Shape, Diffusion, true>(
          nets_, sums_.diffusion, input_, x_, x_cotangent_,
          [&](int, int n, const Tile<Number>& z) {
            const auto f = activate<P, Diffusion::kOutput>(z);
            Tile<Number> cotangent = diagonal_cotangent(n, lambda, extra);
            ITO_UNROLL
            for (int e = 0; e < 4; ++e) cotangent.v[e] *= Number(Shape::kDiffusionScale);
            return through_output<Diffusion::kOutput>(cotangent, f.slope);
          },
          [](int, const Tile<Number>&) {});
    } else if constexpr (Shape::kDiffusion == DiffusionKind::constant_general) {
      if (carry.parameters) {
        mixing_gradient<P, Shape>(nets_, sums_.diffusion, size_, w_, lambda);
      }
    } else if constexpr (Shape::kDiffusion == DiffusionKind::general) {
      Pair<Number> of_row{};
      net_gradient<P, Shape, Diffusion, true>(
          nets_, sums_.diffusion, input_, x_, x_cotangent_,
          [&](int row, int n, const Tile<Number>& z) {
            if (n == 0) of_row = broadcast_channel(lambda, row);
            const auto f = activate<P, Diffusion::kOutput>(z);
            Tile<Number> cotangent;
            ITO_UNROLL
            for (int e = 0; e < 4; ++e) {
              cotangent.v[e] = Number(Shape::kDiffusionScale) * of_row.v[e / 2] * w_[n].v[e];
            }
            return through_output<Diffusion::kOutput>(cotangent, f.slope);
          },
          [](int, const Tile<Number>&) {});
    }
  }

  ITO_DEVICE Tile<Number> diagonal_cotangent(int n, const States& lambda,
                                             const States& extra) const {
    Tile<Number> out;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) out.v[e] = fma(lambda[n].v[e], w_[n].v[e], extra[n].v[e]);
    return Shape::kOwnGrids ? mask(out) : out;
  }

  /// The gradient of the bias row is complete for an interval of the context.
  ITO_DEVICE void store_row(int interval) {
    if constexpr (kHasRow) {
      if (index_ < call_.tiles && writes_tile<Shape>()) {
        Number* out = arguments_.row_sums +
                      (static_cast<long long>(index_) * call_.intervals + interval) * Shape::kRow;
        row_sums_.sum_paths([&](int channel, Number sum) { out[channel] = sum; });
      }
      row_sums_.clear();
    }
  }

  const AdjointArguments<Number>& arguments_;
  const PathArguments<Number>& call_;
  Nets& nets_;
  Sums& sums_;
  int index_;
  const Number* bias_rows_ = nullptr;
  TileGrid<Shape, Number> grid_;
  int lane_row_ = 0;  ///< the observation of the block's tile of this lane
  PathNoise<P, Shape> noise_;
  bool finite_[2], saved_ = true, has_step_ = true;
  int save_ = 0;
  Number energy_[2], martingale_[2];
  StepSize<Number> size_;
  NetInput<Number> input_;
  CompensatedTiles<Shape, Number> lambda_;
  Tile<Number> x_cotangent_[kStates], x_[kStates], b_[kStates], sigma_[kStates];
  Tile<Number> z_[kNoises], w_[kNoises];
  VectorSums<Number, kRowTiles> row_sums_;
};

/// How the nets of a shape are evaluated on the way back.
template <class P, class Shape, class Parameters, bool kShares = Shape::kSharesUnits>
struct AdjointEvaluator {
  using Type = StagedEvaluator<P, Parameters, Shape::kWarpStage>;
};
template <class P, class Shape, class Parameters>
struct AdjointEvaluator<P, Shape, Parameters, true> {
  using Type = SharedEvaluator<P, Parameters, UnitTeam<Shape::kWarps, Shape::kTiles>,
                               Shape::kWarpStage, Shape::kUnitBuffer, true>;
};

template <class P, class Shape>
ITO_DEVICE void adjoint(const AdjointArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const auto parameters = open_parameters<P, Shape>(arguments.path);
  auto* memory = reinterpret_cast<Tile<Number>*>(
      arguments.sums + static_cast<long long>(block_index()) * Shape::kSumCount);
  using Parameters = decltype(open_parameters<P, Shape>(arguments.path));
  const auto stage = shared_memory() + static_cast<unsigned>(Shape::kStageBytes);
  using Evaluator = typename AdjointEvaluator<P, Shape, Parameters>::Type;
  using Nets = BlockNets<P, Evaluator, Shape::kOwnGrids>;
  Nets nets{{parameters, stage.template as<typename P::Outer::Element>(), Number(1)}, memory};
  GradientSums<P, Shape> sums;
  sums.clear(memory);
  const long long groups = arguments.groups;
  const int end = static_cast<int>(groups * (block_index() + 1) / grid_size());
  ITO_ROLLED
  for (int group = static_cast<int>(groups * block_index() / grid_size()); group < end; ++group) {
    const int index =
        group * Shape::kTiles + static_cast<int>(warp_index()) % static_cast<int>(Shape::kTiles);
    WarpAdjoint<P, Shape, Nets, GradientSums<P, Shape>>(arguments, nets, sums, index).run();
  }
  sums.flush(memory, nets.evaluator.state_unit);
  sums.store(memory, stage.template as<Number>());
}

}  // namespace ito::cuda
