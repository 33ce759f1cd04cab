#include "cpu/isa/net.hpp"
#include "cpu/isa/tile_noise.hpp"
#include "cpu/kernels.hpp"
#include "engine/scheme_step.hpp"
#include "kernels/arithmetic/stochastic_adjoint.cuh"

namespace ito::cpu {
inline namespace ITO_CPU_ISA {
namespace {

/// A tile as a machine of SchemeStep: rows of 64 paths, a vector of them at once.
template <class Arch>
class SchemeTile {
 public:
  using Number = Lanes<Arch>;
  using Scalar = double;
  static constexpr int lanes = tile_paths, lane_step = lane_count<Arch>;

  SchemeTile(const TileModel& model, const TileCall& call)
      : model_(model), call_(call), scratch_(call.scratch) {}

  Number get(std::size_t place, int row, int lane) const {
    return load<Arch>(scratch_ + place + row * tile_paths + lane);
  }
  void put(std::size_t place, int row, int lane, Number value) const {
    value.store_aligned(scratch_ + place + row * tile_paths + lane);
  }

  void evaluate(const Stage& stage, const SchemePlaces::Values& values, int, double t,
                bool trace) const {
    if (trace) mask(values.point, model_.state);
    const float* x = at(values.point);
    if (stage.needs_drift) {
      run(model_.drift_net, x, t, trace);
      take(model_.drift_net, values.b, model_.state, 1.0f, 0.0f);
    }
    if (stage.needs_diffusion) {
      run(model_.diffusion_net, x, t, trace);
      if (model_.diffusion_net) {
        take(model_.diffusion_net, values.sigma, model_.entries.count(), model_.diffusion_scale,
             model_.diffusion_floor);
      } else {
        for (int e = 0; e < model_.entries.count(); ++e) fill(values.sigma, e, call_.sigma[e]);
      }
    }
    if (!stage.needs_control) return;
    if (model_.control == ControlKind::constant) {
      for (int j = 0; j < model_.noise; ++j) {
        fill(values.u, j, call_.parameters[model_.control_value + static_cast<std::size_t>(j)]);
      }
      return;
    }
    run(model_.control_net, x, t, trace);
    take(model_.control_net, values.u, model_.noise, 1.0f, 0.0f);
    if (model_.control != ControlKind::drift) return;
    for_rows(model_.noise, [&](int j, int lane) {  // u = (v − b)/σ
      put(values.u, j, lane,
          (get(values.u, j, lane) - get(values.b, j, lane)) / get(values.sigma, j, lane));
    });
  }

  void pull_back(const Stage& stage, const SchemePlaces::Values& values,
                 const SchemePlaces::Values& cotangents, int, double t, bool to_point,
                 bool parameters) const {
    float* out = to_point ? at(cotangents.point) : nullptr;
    const float* x = at(values.point);
    if (stage.needs_control) {
      if (model_.control == ControlKind::drift) through_division(values, cotangents);
      mask(cotangents.u, model_.noise);
      if (model_.control == ControlKind::constant && parameters) {
        add_rows<Arch>(at(cotangents.u), model_.noise, at(model_.control_sums));
      }
      back(model_.control_net, x, t, cotangents.u, out, parameters);
    }
    if (stage.needs_drift) {
      mask(cotangents.b, model_.state);
      back(model_.drift_net, x, t, cotangents.b, out, parameters);
    }
    if (!stage.needs_diffusion) return;
    mask(cotangents.sigma, model_.entries.count());
    if (model_.diffusion_net) {
      for_rows(model_.entries.count(), [&](int e, int lane) {
        put(cotangents.sigma, e, lane,
            Number(model_.diffusion_scale) * get(cotangents.sigma, e, lane));
      });
    } else if (model_.constant_diffusion && parameters) {
      add_rows<Arch>(at(cotangents.sigma), model_.entries.count(), at(model_.diffusion_sums));
    }
    back(model_.diffusion_net, x, t, cotangents.sigma, out, parameters);
  }

  void push_forward(const Stage& stage, const SchemePlaces::Values& values,
                    const SchemePlaces::Values& tangents, int, double t, int q) const {
    const float* along = call_.directions + static_cast<std::size_t>(q) * model_.parameters;
    const auto push = [&](const std::optional<TileNet>& net, std::size_t place, int rows,
                          float scale) {
      if (!net) return clear(place, rows);
      const float* tangent = net_tangent<Arch>(
          *net, call_.parameters, scratch_, at(values.point), net_time(t),
          {along, at(tangents.point),
           lane_bias_of(*net, scratch_, model_.along[static_cast<std::size_t>(q)].lane_bias)});
      for_rows(rows, [&](int i, int lane) {
        put(place, i, lane, Number(scale) * load<Arch>(tangent + i * tile_paths + lane));
      });
    };
    if (stage.needs_drift) push(model_.drift_net, tangents.b, model_.state, 1.0f);
    if (stage.needs_diffusion) {
      push(model_.diffusion_net, tangents.sigma, model_.entries.count(), model_.diffusion_scale);
      for (int e = 0; e < model_.entries.count() && model_.constant_diffusion; ++e) {
        fill(tangents.sigma, e,
             call_.sigma_slope[e] * along[model_.diffusion_value + static_cast<std::size_t>(e)]);
      }
    }
    if (!stage.needs_control) return;
    push(model_.control_net, tangents.u, model_.noise, 1.0f);
    if (model_.control == ControlKind::constant) {
      for (int j = 0; j < model_.noise; ++j) {
        fill(tangents.u, j, along[model_.control_value + static_cast<std::size_t>(j)]);
      }
    }
    if (model_.control != ControlKind::drift) return;
    for_rows(model_.noise, [&](int j, int lane) {  // u = (v − b)/σ
      put(tangents.u, j, lane,
          (get(tangents.u, j, lane) - get(tangents.b, j, lane) -
           get(tangents.sigma, j, lane) * get(values.u, j, lane)) /
              get(values.sigma, j, lane));
    });
  }

  /// The tangents of E and M, and of their intervals.
  void add_sum_tangents(int q, int lane, Number energy, Number martingale) const {
    const std::size_t sums = model_.along[static_cast<std::size_t>(q)].sums;
    for (int row = 0; row < 4; ++row) {
      add_compensated(*this, sums, row, 4 + row, lane, row % 2 == 0 ? energy : martingale);
    }
  }

  void add_sums(int lane, Number energy, Number martingale) const {
    for (const std::size_t sum : {model_.energy, model_.interval_energy}) {
      add_compensated(*this, sum, 0, 1, lane, energy);
    }
    for (const std::size_t sum : {model_.martingale, model_.interval_martingale}) {
      add_compensated(*this, sum, 0, 1, lane, martingale);
    }
  }
  Number energy_cotangent(int lane) const { return get(model_.energy_cotangent, 0, lane); }
  Number martingale_cotangent(int lane) const { return get(model_.martingale_cotangent, 0, lane); }

  StepTime time_of(int k) const {
    if (own_steps()) {
      load_lane_steps(model_, call_, k);
      return {k, 0, 1, 1};
    }
    const double h{call_.steps[k].step};
    return {k, double{call_.steps[k].time}, h, std::sqrt(h)};
  }
  bool own_steps() const { return call_.lane_steps != nullptr; }
  /// Rounded as a product of doubles is, like that of a step that all lanes have.
  Number times_h(double factor, int lane) const {
    alignas(64) float products[lane_step];
    for (int l = 0; l < lane_step; ++l) {
      products[l] = static_cast<float>(factor * double{at(model_.lane_h)[lane + l]});
    }
    return load<Arch>(products);
  }
  Number root_h(int lane) const { return xsimd::sqrt(get(model_.lane_h, 0, lane)); }
  void load_noise(const Scheme& scheme, const SchemePlaces& places, int k) const {
    TileNoise<Arch>(model_, call_)
        .draw_step(k, at(places.z), scheme.needs_area ? at(places.area) : nullptr);
  }
  float* at(std::size_t place) const { return scratch_ + place; }

 private:
  template <class Each>
  static void for_rows(int rows, Each each) {
    for (int i = 0; i < rows; ++i) {
      for (int lane = 0; lane < lanes; lane += lane_step) each(i, lane);
    }
  }
  void clear(std::size_t place, int rows) const {
    for_rows(rows, [&](int i, int lane) { put(place, i, lane, Number(0.0f)); });
  }
  void fill(std::size_t place, int row, float value) const {
    for (int lane = 0; lane < lanes; lane += lane_step) put(place, row, lane, Number(value));
  }

  /// That of nets, from that of a stage.
  NetTime net_time(double t) const {
    if (!own_steps()) return {static_cast<float>(t), nullptr};
    float* times = at(model_.lane_stage_time);
    for (int lane = 0; lane < lanes; ++lane) {
      times[lane] = static_cast<float>(double{at(model_.lane_time)[lane]} +
                                       t * double{at(model_.lane_h)[lane]});
    }
    return {0.0f, times};
  }

  void run(const std::optional<TileNet>& net, const float* x, double t, bool trace) const {
    if (!net) return;
    net_forward<Arch>(*net, call_.parameters, scratch_, x, net_time(t),
                      lane_bias_of(*net, scratch_, model_.lane_bias), trace);
  }
  /// place = floor + scale · the net's output; 0 without a net.
  void take(const std::optional<TileNet>& net, std::size_t place, int rows, float scale,
            float floor) const {
    for_rows(rows, [&](int i, int lane) {
      put(place, i, lane,
          net ? xsimd::fma(Number(scale), get(net->output(), i, lane), Number(floor))
              : Number(0.0f));
    });
  }
  void back(const std::optional<TileNet>& net, const float* x, double t, std::size_t cotangent,
            float* out, bool parameters) const {
    if (!net) return;
    net_backward<Arch>(*net, call_.parameters, scratch_, x, net_time(t), at(cotangent),
                       net->layers.front().inputs > 0 ? out : nullptr, parameters);
  }

  void through_division(const SchemePlaces::Values& values,
                        const SchemePlaces::Values& cotangents) const {
    for_rows(model_.noise, [&](int j, int lane) {
      const Number v = get(cotangents.u, j, lane) / get(values.sigma, j, lane);
      put(cotangents.u, j, lane, v);
      put(cotangents.b, j, lane, get(cotangents.b, j, lane) - v);
      put(cotangents.sigma, j, lane, get(cotangents.sigma, j, lane) - v * get(values.u, j, lane));
    });
  }

  /// Zero on paths that take no part.
  void mask(std::size_t place, int rows) const {
    if (!call_.masked) return;
    for_rows(rows, [&](int i, int lane) {
      put(place, i, lane,
          xsimd::select(get(model_.active, 0, lane) > Number(0.0f), get(place, i, lane),
                        Number(0.0f)));
    });
  }

  const TileModel& model_;
  const TileCall& call_;
  float* scratch_;
};

template <class Arch>
void run_scheme(const TileModel& model, const TileCall& call, int begin, int end, TapeSlice tape) {
  SchemeTile<Arch> tile(model, call);
  const Scheme& scheme = *model.scheme;
  const SchemePlaces& places = *model.places;
  SchemeStep step(tile, scheme, places, model.entries);
  for (int k = begin; k < end; ++k) {
    if (float* to = tape.place(k)) copy_rows<Arch>(tile.at(places.chain), tape.rows, to);
    tile.load_noise(scheme, places, k);
    step.forward(tile.time_of(k));
  }
}

template <class Arch>
void reverse_scheme(const TileModel& model, const TileCall& call, int begin, int end,
                    const float* states, ReverseOptions options) {
  SchemeTile<Arch> tile(model, call);
  const SchemePlaces& places = *model.places;
  SchemeStep step(tile, *model.scheme, places, model.entries);
  for (int k = end - 1; k >= begin; --k) {
    copy_rows<Arch>(states + static_cast<std::ptrdiff_t>(k - begin) * model.stored * tile_paths,
                    model.stored, tile.at(places.chain));
    tile.load_noise(*model.scheme, places, k);
    step.reverse(tile.time_of(k), {options.detach_state, options.detach_martingale_parameters});
  }
}

template <class Arch>
void reverse_undoing(const TileModel& model, const TileCall& call, int begin, int end,
                     ReverseOptions options) {
  SchemeTile<Arch> tile(model, call);
  const SchemePlaces& places = *model.places;
  SchemeStep step(tile, *model.scheme, places, model.entries);
  step.leave_sums();
  for (int k = end - 1; k >= begin; --k) {
    tile.load_noise(*model.scheme, places, k);
    StepTime time = tile.time_of(k);
    time.sign = -1;
    step.forward(time);
    time.sign = 1;
    step.reverse(time, {options.detach_state, options.detach_martingale_parameters});
  }
}

template <class Arch>
void reverse_stochastic(const TileModel& model, const TileCall& call, int begin, int end,
                        ReverseOptions options) {
  SchemeTile<Arch> tile(model, call);
  StochasticAdjoint adjoint(tile, *model.field, *model.field_places, model.entries, model.kept,
                            model.kept_cotangent);
  for (int k = end - 1; k >= begin; --k) {
    tile.load_noise(*model.field, *model.field_places, k);
    adjoint.back(tile.time_of(k), {options.detach_state, options.detach_martingale_parameters});
  }
}

template <class Arch>
void run_along(const TileModel& model, const TileCall& call, int begin, int end, int count) {
  SchemeTile<Arch> tile(model, call);
  SchemeStep step(tile, *model.scheme, *model.places, model.entries);
  for (int k = begin; k < end; ++k) {
    tile.load_noise(*model.scheme, *model.places, k);
    step.forward_with_tangents(tile.time_of(k), count, model.along,
                               [&](int q, int lane, Lanes<Arch> energy, Lanes<Arch> martingale) {
                                 tile.add_sum_tangents(q, lane, energy, martingale);
                               });
  }
}

}  // namespace

extern const SchemeKernels scheme_kernels;
constinit const SchemeKernels scheme_kernels = {run_scheme<Isa>, reverse_scheme<Isa>,
                                                reverse_undoing<Isa>, reverse_stochastic<Isa>,
                                                run_along<Isa>};

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
