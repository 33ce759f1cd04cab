#include "cpu/isa/net.hpp"
#include "cpu/isa/tile_noise.hpp"
#include "cpu/kernels.hpp"
#include "kernels/arithmetic/compensated_sum.cuh"
#include "kernels/arithmetic/euler_maruyama.cuh"
#include "kernels/arithmetic/scheme.cuh"

namespace ito::cpu {
inline namespace ITO_CPU_ISA {
namespace {

/// One tile at one step: the fused Euler–Maruyama step with its Girsanov sums, and its transpose.
template <class Arch>
class TileStep {
  using L = Lanes<Arch>;

 public:
  TileStep(const TileModel& model, const TileCall& call)
      : model_(model), call_(call), scratch_(call.scratch), own_steps_(call.lane_steps ? -1 : 0) {}

  /// x_k → x_{k+1} in place, and the sums with it.
  void forward(int k) {
    evaluate(k, at(model_.x), false);
    for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
      const StepSize<L> size = size_at(lane);
      L energy(0.0f), martingale(0.0f);
      for (int j = 0; j < model_.noise; ++j) {
        const L u = control(j, lane), z = get(model_.z, j, lane);
        put(model_.w, j, lane, shifted_increment(size, u, z));
        energy += energy_increment(size, u);
        martingale += martingale_increment(size, u, z);
      }
      if (model_.control != ControlKind::none) {
        for (const std::size_t sum : {model_.energy, model_.interval_energy}) {
          add_compensated(*this, sum, 0, 1, lane, energy);
        }
        for (const std::size_t sum : {model_.martingale, model_.interval_martingale}) {
          add_compensated(*this, sum, 0, 1, lane, martingale);
        }
      }
      for (int i = 0; i < model_.state; ++i) {
        L increment = -get(model_.x, model_.state + i, lane);
        if (model_.drift_net) {
          increment = xsimd::fma(size.h, get(model_.drift_net->output(), i, lane), increment);
        }
        put(model_.increment, i, lane, increment);
      }
      const int entries = model_.entries.count();
      for (int e = 0; e < entries; ++e) {
        const int i = model_.entries.row(e);
        put(model_.increment, i, lane,
            xsimd::fma(sigma(e, lane), get(model_.w, model_.entries.column(e), lane),
                       get(model_.increment, i, lane)));
      }
      for (int i = 0; i < model_.state; ++i) {
        add_corrected(*this, model_.x, i, model_.state + i, lane, get(model_.increment, i, lane));
      }
    }
  }

  /// λ: cotangent of x_{k+1} → cotangent of x_k. `x` is x_k, [state, tile_paths].
  void reverse(int k, const float* x, ReverseOptions options) {
    x = active_states(x);
    evaluate(k, x, true);
    for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
      const StepSize<L> size = size_at(lane);
      for (int j = 0; j < model_.noise; ++j) {
        put(model_.w, j, lane, shifted_increment(size, control(j, lane), get(model_.z, j, lane)));
      }
    }
    clear(model_.increment, model_.state);
    const bool split = options.detach_martingale_parameters;
    if (split && !options.detach_state) pull_back(x, Carry::martingale_through_path());
    pull_back(x, Carry::step(options.detach_state, split));
    if (options.detach_state) return clear(model_.lambda, model_.carried);
    for (int i = 0; i < model_.state; ++i) {
      for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
        add_compensated(*this, model_.lambda, i, model_.state + i, lane,
                        get(model_.increment, i, lane));
      }
    }
  }

  // As a machine of compensated_sum.cuh.
  using Number = L;
  L get(std::size_t place, int row, int lane) const {
    return load<Arch>(scratch_ + place + row * tile_paths + lane);
  }
  void put(std::size_t place, int row, int lane, L value) const {
    value.store_aligned(scratch_ + place + row * tile_paths + lane);
  }

 private:
  float* at(std::size_t place) const { return scratch_ + place; }
  void add(std::size_t place, int row, int lane, L value) const {
    put(place, row, lane, get(place, row, lane) + value);
  }
  void clear(std::size_t place, int rows) const {
    for (int i = 0; i < rows * tile_paths; i += lane_count<Arch>) {
      L(0.0f).store_aligned(scratch_ + place + i);
    }
  }
  /// Zero on paths that take no part.
  L mask_inactive(L value, int lane) const {
    return call_.masked ? xsimd::select(get(model_.active, 0, lane) > L(0.0f), value, L(0.0f))
                        : value;
  }

  /// The states with those of paths that take no part replaced by zero, where there are any.
  const float* active_states(const float* x) const {
    if (!call_.masked) return x;
    for (int i = 0; i < model_.state; ++i) {
      for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
        put(model_.x, i, lane, mask_inactive(load<Arch>(x + i * tile_paths + lane), lane));
      }
    }
    return at(model_.x);
  }

  void set_step(int k) {
    if (call_.lane_steps) {
      load_lane_steps(model_, call_, k);
      t_ = {0.0f, at(model_.lane_time)};
    } else {
      const GridStep& step = call_.steps[k];
      put(model_.lane_h, 0, 0, L(step.step));
      put(model_.lane_root_h, 0, 0, L(step.root_step));
      t_ = {step.time, nullptr};
    }
  }
  StepSize<L> size_at(int lane) const {
    return {get(model_.lane_h, 0, lane & own_steps_),
            get(model_.lane_root_h, 0, lane & own_steps_)};
  }

  /// The nets and the noise at (t_k, x).
  void evaluate(int k, const float* x, bool trace) {
    set_step(k);
    const float* p = call_.parameters;
    if (model_.drift_net) {
      net_forward<Arch>(*model_.drift_net, p, scratch_, x, t_,
                        lane_bias_of(*model_.drift_net, scratch_, model_.lane_bias), trace);
    }
    if (model_.diffusion_net) {
      net_forward<Arch>(*model_.diffusion_net, p, scratch_, x, t_, nullptr, trace);
    }
    if (model_.control_net) {
      net_forward<Arch>(*model_.control_net, p, scratch_, x, t_,
                        lane_bias_of(*model_.control_net, scratch_, model_.lane_bias), trace);
    }
    if (model_.control == ControlKind::drift) divide_by_sigma();
    TileNoise<Arch>(model_, call_).draw_step(k, at(model_.z), nullptr);
  }

  /// u = (v − b)/σ, for a net that gives the posterior drift v.
  void divide_by_sigma() const {
    for (int j = 0; j < model_.noise; ++j) {
      for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
        L v = get(model_.control_net->output(), j, lane);
        if (model_.drift_net) v -= get(model_.drift_net->output(), j, lane);
        put(model_.u, j, lane, v / sigma(j, lane));
      }
    }
  }

  L sigma(int e, int lane) const {
    if (!model_.diffusion_net) return L(call_.sigma[e]);
    return xsimd::fma(L(model_.diffusion_scale), get(model_.diffusion_net->output(), e, lane),
                      L(model_.diffusion_floor));
  }

  L control(int j, int lane) const {
    switch (model_.control) {
      case ControlKind::none:
        return L(0.0f);
      case ControlKind::constant:
        return L(call_.parameters[model_.control_value + static_cast<std::size_t>(j)]);
      case ControlKind::drift:
        return get(model_.u, j, lane);
      default:
        return get(model_.control_net->output(), j, lane);
    }
  }

  /// The transpose of the step's derivative through b, σ and u: adds to `increment`, and to the
  /// gradient sums.
  void pull_back(const float* x, Carry carry) {
    for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) pull_back_lanes(lane, carry);
    float* x_cotangent = carry.state || !carry.parameters ? at(model_.increment) : nullptr;
    pull_back_net(model_.control_net, x, model_.u_cotangent, x_cotangent, carry.parameters);
    const bool through_control = model_.control == ControlKind::drift;
    if (!carry.state && !through_control) return;
    pull_back_net(model_.drift_net, x, model_.b_cotangent, x_cotangent, carry.parameters);
    pull_back_net(model_.diffusion_net, x, model_.sigma_cotangent, x_cotangent, carry.parameters);
  }

  void pull_back_net(const std::optional<TileNet>& net, const float* x, std::size_t cotangent,
                     float* x_cotangent, bool accumulate) {
    if (!net) return;
    net_backward<Arch>(*net, call_.parameters, scratch_, x, t_, at(cotangent),
                       net->layers.data()->inputs > 0 ? x_cotangent : nullptr, accumulate);
  }

  /// Cotangents of u, b and σ, path by path.
  void pull_back_lanes(int lane, Carry carry) {
    const int entries = model_.entries.count();
    const StepSize<L> size = size_at(lane);
    for (int j = 0; j < model_.noise; ++j) put(model_.u_cotangent, j, lane, L(0.0f));
    for (int i = 0; i < model_.state; ++i) {
      const L lambda = carry.state ? get(model_.lambda, i, lane) : L(0.0f);
      put(model_.b_cotangent, i, lane, mask_inactive(size.h * lambda, lane));
    }
    for (int e = 0; e < entries; ++e) {
      const L lambda = carry.state ? get(model_.lambda, model_.entries.row(e), lane) : L(0.0f);
      const int j = model_.entries.column(e);
      add(model_.u_cotangent, j, lane, sigma(e, lane) * lambda);  // ω = σᵀλ
      put(model_.sigma_cotangent, e, lane, mask_inactive(lambda * get(model_.w, j, lane), lane));
    }
    const L energy = carry.energy ? get(model_.energy_cotangent, 0, lane) : L(0.0f);
    const L martingale = carry.martingale ? get(model_.martingale_cotangent, 0, lane) : L(0.0f);
    for (int j = 0; j < model_.noise; ++j)
      pull_back_control(j, lane, size, energy, martingale, carry);
    if (model_.diffusion_net) {
      for (int e = 0; e < entries; ++e) {
        put(model_.sigma_cotangent, e, lane,
            L(model_.diffusion_scale) * get(model_.sigma_cotangent, e, lane));
      }
    } else if (model_.constant_diffusion && carry.parameters) {
      for (int e = 0; e < entries; ++e) {
        add(model_.diffusion_sums, e, lane, get(model_.sigma_cotangent, e, lane));
      }
    }
  }

  void pull_back_control(int j, int lane, StepSize<L> size, L energy, L martingale, Carry carry) {
    const L u = control(j, lane);
    L cotangent = control_cotangent(size, get(model_.u_cotangent, j, lane), u,
                                    get(model_.z, j, lane), energy, martingale);
    if (model_.control == ControlKind::drift) cotangent = cotangent / sigma(j, lane);
    cotangent = mask_inactive(cotangent, lane);
    put(model_.u_cotangent, j, lane, cotangent);
    if (model_.control == ControlKind::drift) {  // u = (v − b)/σ
      add(model_.b_cotangent, j, lane, -cotangent);
      add(model_.sigma_cotangent, j, lane, mask_inactive(-cotangent * u, lane));
    } else if (model_.control == ControlKind::constant && carry.parameters) {
      add(model_.control_sums, j, lane, cotangent);
    }
  }

  const TileModel& model_;
  const TileCall& call_;
  float* scratch_;
  int own_steps_;  ///< all ones, or 0 where all lanes have one step, whose size the first ones hold
  NetTime t_{};
};

template <class Arch>
void run_tile(const TileModel& model, const TileCall& call, int begin, int end, TapeSlice tape) {
  TileStep<Arch> step(model, call);
  for (int k = begin; k < end; ++k) {
    if (float* to = tape.place(k)) copy_rows<Arch>(call.scratch + model.x, tape.rows, to);
    step.forward(k);
  }
}

template <class Arch>
void reverse_tile(const TileModel& model, const TileCall& call, int begin, int end,
                  const float* states, ReverseOptions options) {
  TileStep<Arch> step(model, call);
  for (int k = end - 1; k >= begin; --k) {
    step.reverse(k, states + static_cast<std::ptrdiff_t>(k - begin) * model.stored * tile_paths,
                 options);
  }
}

}  // namespace

extern const CpuKernels kernels;
extern const SchemeKernels scheme_kernels;
constinit const CpuKernels kernels = {
    tile_normals<Isa>,
    run_tile<Isa>,
    reverse_tile<Isa>,
    [](const TileNet& net, const float* parameters, float* scratch, const float* inputs,
       bool trace) { net_forward<Isa>(net, parameters, scratch, inputs, {}, nullptr, trace); },
    [](const TileNet& net, const float* parameters, float* scratch, const float* inputs,
       const float* output_cotangents, float* input_cotangents) {
      net_backward<Isa>(net, parameters, scratch, inputs, {}, output_cotangents, input_cotangents,
                        true);
    },
    lane_count<Isa>,
    &scheme_kernels,
    ITO_CPU_ISA_NAME};

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
