#include "reference/engine.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <ito/check.hpp>
#include "engine/call.hpp"
#include "engine/grid.hpp"
#include "kernels/arithmetic/compensated_sum.cuh"
#include "reference/path.hpp"

namespace ito::reference {
namespace {

/// One call's arrays in the workspace.
struct ReferenceWorkspace {
  Tape tape;
  double* parameters;         // [P]
  double* context;            // [R, I, C]
  double* states;             // [tiles, checkpoints, numbers of an entry]
  double* segments;           // [threads, segment, stored]
  std::uint8_t* status;       // [tiles]
  double* gradients;          // [chunks, P]
  double* context_gradients;  // [R + chunks, I, C]
  std::size_t bytes;
};

template <class Real>
class ReferenceEngine final : public Engine<Real> {
 public:
  ReferenceEngine(const ModelShape& shape, const PlanOptions& options, int threads)
      : shape_(shape),
        common_grid_(grid_steps<double>(shape_)),
        limit_(options.workspace_limit.value_or(PlanOptions::usual_workspace_limit)),
        threads_(thread_count(threads)),
        method_(options.gradient) {
    const bool pathwise = method_ == GradientMethod::pathwise;
    for (int i = 0; i < threads_; ++i) paths_.emplace_back(shape_, method_, pathwise ? at_once : 0);
    if (pathwise) make_along();
    grids_.resize(static_cast<std::size_t>(threads_));
    for (OwnGrid& grid : grids_) {
      if (!std::is_same_v<Real, double>) grid.steps.resize(static_cast<std::size_t>(shape_.steps));
    }
    x_.resize(static_cast<std::size_t>(threads_), std::vector<double>(carried()));
    lambda_ = x_;
  }

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations,
                              Keep keep) const override {
    return lay_out(nullptr, Partition::largest(paths, 1, shape_.parameters), observations, keep)
        .bytes;
  }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte> workspace,
                Keep keep) override {
    const Partition cut(request.first_path, request.paths, 1, shape_.parameters);
    const ObservationMap map(shape_, request, 1, cut);
    const ReferenceWorkspace space = prepare(parameters, request, cut, map.rows, workspace, keep);
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::uint64_t i = 0; i < request.paths; ++i) {
      simulate_path(request, outputs, space, map, i, keep != Keep::nothing);
    }
  }

  void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               std::span<std::byte> workspace, AdjointOptions options) override {
    const Partition cut(request.first_path, request.paths, 1, shape_.parameters);
    const ObservationMap map(shape_, request, 1, cut);
    const ReferenceWorkspace space =
        prepare(parameters, request, cut, map.rows, workspace, Keep::most);
    std::fill_n(space.gradients, cut.chunks * shape_.parameters, 0.0);
    std::fill_n(space.context_gradients, (map.rows + cut.chunks) * row_size(), 0.0);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
    for (std::uint64_t chunk = 0; chunk < cut.chunks; ++chunk) {
      for (std::uint64_t i = cut.chunk_begin(chunk); i < cut.chunk_begin(chunk + 1); ++i) {
        if (method_ == GradientMethod::pathwise) {
          differentiate_path(request, cotangents, gradient, space, map, chunk, i);
        } else {
          reverse_path(request, cotangents, gradient, space, map, chunk, i, options);
        }
      }
    }
    reduce(gradient, space, map);
  }

 private:
  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  /// Numbers of a chain, and of its part that a step back needs.
  std::size_t carried() const { return paths_.front().carried(); }
  std::size_t stored() const { return paths_.front().stored(); }
  std::size_t saves() const { return shape_.save.size(); }
  std::size_t row_size() const {
    return static_cast<std::size_t>(shape_.context()) * shape_.context_steps.size();
  }
  std::size_t self() const { return static_cast<std::size_t>(omp_get_thread_num()); }

  ReferenceWorkspace lay_out(std::byte* base, const Partition& cut, std::uint64_t rows,
                             Keep keep) const {
    Arena arena(base);
    ReferenceWorkspace space{};
    space.parameters = arena.take<double>(shape_.parameters);
    space.context = arena.take<double>(rows * row_size());
    space.tape = Tape::none();
    if (keep != Keep::nothing) lay_out_gradient(arena, space, cut, rows, keep);
    space.bytes = arena.bytes();
    return space;
  }

  void lay_out_gradient(Arena& arena, ReferenceWorkspace& space, const Partition& cut,
                        std::uint64_t rows, Keep keep) const {
    space.tape = !needs_tape(method_)
                     ? Tape::of_last_state()
                     : Tape::choose(cut.most_tiles, shape_.steps,
                                    {stored() * sizeof(double), carried() * sizeof(double)},
                                    threads_, limit_, keep);
    space.states = arena.take<double>(cut.tiles * space.tape.checkpoints * entry(space.tape));
    space.segments =
        arena.take<double>(static_cast<std::size_t>(threads_) * space.tape.segment * stored());
    space.status = arena.take<std::uint8_t>(cut.tiles);
    space.gradients = arena.take<double>(cut.chunks * shape_.parameters);
    space.context_gradients = arena.take<double>((rows + cut.chunks) * row_size());
  }

  ReferenceWorkspace prepare(std::span<const Real> parameters, const BasicRequest<Real>& request,
                             const Partition& cut, std::uint64_t rows,
                             std::span<std::byte> workspace, Keep wanted) const {
    const ReferenceWorkspace space = lay_out_in(workspace, wanted, [&](std::byte* base, Keep keep) {
      return lay_out(base, cut, rows, keep);
    });
    std::copy_n(parameters.begin(), shape_.parameters, space.parameters);
    std::copy(request.context.begin(), request.context.end(), space.context);
    return space;
  }

  void load_initial(const BasicRequest<Real>& request, std::uint64_t i, ReferencePath& path,
                    std::span<double> chain) const {
    const std::span<double> x = chain.first(state());
    if (request.x0.empty()) {
      path.draw_initial(x);
    } else {
      const std::size_t at = request.x0.size() == state() ? 0 : i * state();
      std::copy_n(request.x0.begin() + static_cast<std::ptrdiff_t>(at), state(), x.begin());
    }
    path.start_chain(chain);
  }

  ReferencePath& bound_path(const BasicRequest<Real>& request, const ReferenceWorkspace& space,
                            const ObservationMap& map, std::uint64_t i) {
    ReferencePath& path = paths_[self()];
    const std::uint64_t row = map.row(request.first_path + i);
    path.bind(space.parameters, space.context + row * row_size(), bind_grid(request, row),
              request.seed, request.first_path + i, request.refinement);
    return path;
  }

  /// The grid of the path that a thread runs.
  struct OwnGrid {
    std::vector<DoubleGridStep> steps;  ///< [K], where the request's are of another type
    std::span<const int> save{};
    int end = 0;  ///< K, or the step where it ends

    /// Whether save step `s` is at step k. At the end it is each that is left.
    bool saves_at(int k, std::size_t s) const {
      return s < save.size() && (k == end || save[s] == k);
    }
  };
  const OwnGrid& grid() const { return grids_[self()]; }

  const DoubleGridStep* bind_grid(const BasicRequest<Real>& request, std::uint64_t row) {
    OwnGrid& own = grids_[self()];
    if (request.grid.empty()) {
      own.save = shape_.save;
      own.end = shape_.steps;
      return common_grid_.data();
    }
    const GridView<Real> view = grid_of(shape_, request, row);
    own.save = view.save;
    own.end = view.steps;
    if constexpr (std::is_same_v<Real, double>) {
      return view.step;
    } else {
      std::transform(view.step, view.step + shape_.steps, own.steps.begin(), [](const auto& s) {
        return DoubleGridStep{s.time, s.step, s.root_step, s.interval};
      });
      return own.steps.data();
    }
  }

  void simulate_path(const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                     const ReferenceWorkspace& space, const ObservationMap& map, std::uint64_t i,
                     bool record) {
    ReferencePath& path = bound_path(request, space, map, i);
    const std::span<double> x = x_[self()];
    load_initial(request, i, path, x);
    PathSums total, interval;
    std::size_t s = 0;
    for (int k = 0;; ++k) {
      while (grid().saves_at(k, s)) save(outputs, i, s++, x.first(state()), interval);
      if (k == grid().end) break;
      if (record && space.tape.stride > 0 &&
          static_cast<std::uint64_t>(k) % space.tape.stride == 0) {
        std::copy_n(x.begin(), entry(space.tape), checkpoint(space, i, k));
      }
      const PathSums parts = path.step(k, x);
      for (PathSums* sums : {&total, &interval}) {
        sums->energy += parts.energy;
        sums->martingale += parts.martingale;
      }
    }
    if (record && space.tape.stride == 0) std::copy(x.begin(), x.end(), checkpoint(space, i, 0));
    const auto leaves_finite = [](double v) { return std::isfinite(static_cast<Real>(v)); };
    const bool finite = leaves_finite(total.energy) && leaves_finite(total.martingale) &&
                        std::ranges::all_of(x.first(state()), leaves_finite);
    const std::uint8_t status = finite ? 0 : 1;
    if (record) space.status[i] = status;
    if (!outputs.energy.empty()) outputs.energy[i] = static_cast<Real>(total.energy);
    if (!outputs.martingale.empty()) outputs.martingale[i] = static_cast<Real>(total.martingale);
    if (!outputs.status.empty()) outputs.status[i] = status;
  }

  void save(const BasicOutputs<Real>& outputs, std::uint64_t i, std::size_t s,
            std::span<const double> x, PathSums& interval) const {
    const std::size_t at = i * saves() + s;
    if (!outputs.states.empty()) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        outputs.states[at * state() + j] = static_cast<Real>(x[j]);
      }
    }
    if (!outputs.interval_energy.empty()) {
      outputs.interval_energy[at] = static_cast<Real>(interval.energy);
    }
    if (!outputs.interval_martingale.empty()) {
      outputs.interval_martingale[at] = static_cast<Real>(interval.martingale);
    }
    interval = {};
  }

  double* checkpoint(const ReferenceWorkspace& space, std::uint64_t i, int k) const {
    const std::uint64_t c =
        space.tape.stride == 0 ? 0 : static_cast<std::uint64_t>(k) / space.tape.stride;
    return space.states + (i * space.tape.checkpoints + c) * entry(space.tape);
  }
  /// Numbers that the tape holds of a chain.
  std::size_t entry(const Tape& tape) const { return tape.entry({stored(), carried()}); }

  /// The states x_begin … x_{end−1} of a path, stored or recomputed.
  const double* segment(const ReferenceWorkspace& space, ReferencePath& path, std::uint64_t i,
                        int begin, int end) {
    const double* from = checkpoint(space, i, begin);
    if (space.tape.stride == 1) return from;
    double* out = space.segments + self() * space.tape.segment * stored();
    const std::span<double> x = x_[self()];
    std::copy_n(from, carried(), x.begin());
    for (int k = begin; k < end; ++k) {
      std::copy_n(x.begin(), stored(), out + static_cast<std::size_t>(k - begin) * stored());
      if (k + 1 < end) path.step(k, x);
    }
    return out;
  }

  void reverse_path(const BasicRequest<Real>& request, const BasicCotangents<Real>& cotangents,
                    const BasicGradientOutputs<Real>& gradient, const ReferenceWorkspace& space,
                    const ObservationMap& map, std::uint64_t chunk, std::uint64_t i,
                    AdjointOptions options) {
    const std::span<double> lambda = lambda_[self()];
    std::fill(lambda.begin(), lambda.end(), 0.0);
    if (space.status[i] == 0) {
      ReferencePath& path = bound_path(request, space, map, i);
      const std::uint64_t row = map.row(request.first_path + i);
      double* sums = space.gradients + chunk * shape_.parameters;
      double* context_sums = space.context_gradients + (row + chunk) * row_size();
      reverse_steps(cotangents, space, path, i, options, sums, context_sums);
      // x̂_0 is x_0.
      for (std::size_t j = 2 * state(); j < carried(); ++j) lambda[j - 2 * state()] += lambda[j];
      if (request.x0.empty() && !options.detach_state) {
        path.reverse_initial(lambda.first(state()), sums);
      }
    }
    if (gradient.x0.empty()) return;
    for (std::size_t j = 0; j < state(); ++j) {
      gradient.x0[i * state() + j] = static_cast<Real>(lambda[j]);
    }
  }

  void reverse_steps(const BasicCotangents<Real>& cotangents, const ReferenceWorkspace& space,
                     ReferencePath& path, std::uint64_t i, AdjointOptions options, double* sums,
                     double* context_sums) {
    const std::span<double> lambda = lambda_[self()];
    std::size_t s = saves();
    PathSums total;
    if (!cotangents.energy.empty()) total.energy = cotangents.energy[i];
    if (!cotangents.martingale.empty()) total.martingale = cotangents.martingale[i];
    PathSums now = total;
    const auto add_cotangents_at = [&](int k) {  // of what was observed at x_k
      while (s > 0 && grid().save[s - 1] >= k) {
        const std::size_t at = i * saves() + --s;
        for (std::size_t j = 0; j < state() && !cotangents.states.empty(); ++j) {
          if (options.detach_state) continue;
          add_of_any_size(lambda[j], lambda[state() + j],
                          double{cotangents.states[at * state() + j]});
        }
        now = total;
        if (!cotangents.interval_energy.empty()) now.energy += cotangents.interval_energy[at];
        if (!cotangents.interval_martingale.empty()) {
          now.martingale += cotangents.interval_martingale[at];
        }
      }
    };
    const int steps = grid().end;
    add_cotangents_at(steps);
    if (space.tape.stride == 0) {
      const std::span<double> chain = x_[self()];
      std::copy_n(checkpoint(space, i, 0), chain.size(), chain.begin());
      for (int k = steps - 1; k >= 0; --k) {
        if (method_ == GradientMethod::reversible) {
          path.undo(k, chain);
          path.reverse(k, chain, lambda, now, options, sums, context_sums);
        } else {
          path.reverse_stochastic(k, chain.first(2 * state()), lambda.first(2 * state()), now,
                                  options, sums, context_sums);
        }
        add_cotangents_at(k);
      }
      return;
    }
    const auto stride = static_cast<int>(space.tape.stride);
    for (int end = steps; end > 0;) {
      const int begin = (end - 1) / stride * stride;
      const double* states = segment(space, path, i, begin, end);
      for (int k = end - 1; k >= begin; --k) {
        const std::span<const double> x(states + static_cast<std::size_t>(k - begin) * stored(),
                                        stored());
        path.reverse(k, x, lambda, now, options, sums, context_sums);
        add_cotangents_at(k);
      }
      end = begin;
    }
  }

  // --- Along directions

  static constexpr int at_once = static_cast<int>(directions_at_once);

  /// What one thread needs to run a path along directions.
  struct Along {
    std::vector<double> parameters, context, x0;  ///< [at_once, P], [at_once, I·C], [at_once, d]
    std::vector<PathDirection> directions;
    std::vector<PathSums> step, total, interval;  ///< [at_once]
    std::vector<double> products;                 ///< [at_once]: with the cotangents

    Along(std::size_t parameter_count, std::size_t context_count, std::size_t state_count)
        : parameters(directions_at_once * parameter_count),
          context(directions_at_once * context_count),
          x0(directions_at_once * state_count),
          step(directions_at_once),
          total(directions_at_once),
          interval(directions_at_once),
          products(directions_at_once) {
      for (std::size_t q = 0; q < directions_at_once; ++q) {
        directions.push_back({parameters.data() + q * parameter_count,
                              context_count > 0 ? context.data() + q * context_count : nullptr});
      }
    }
  };

  void make_along() {
    while (along_.size() < static_cast<std::size_t>(threads_)) {
      along_.emplace_back(shape_.parameters, row_size(), state());
    }
  }

  /// Runs path i with the tangents of `along`'s first `count` directions. Calls save(s, q, ẋ,
  /// interval) and finish(q, total); tells whether the path is finite.
  template <class Save, class Finish>
  bool run_along(const BasicRequest<Real>& request, const ReferenceWorkspace& space,
                 const ObservationMap& map, std::uint64_t i, std::size_t count, Along& along,
                 Save save, Finish finish) {
    ReferencePath& path = bound_path(request, space, map, i);
    const std::span<double> x = x_[self()];
    path.take_directions(std::span<const PathDirection>(along.directions).first(count));
    load_initial(request, i, path, x);
    for (std::size_t q = 0; q < count; ++q) {
      const std::span<double> dot = path.chain_tangent(q);
      std::fill(dot.begin(), dot.end(), 0.0);
      if (request.x0.empty()) path.draw_initial_tangent(q);
      for (std::size_t j = 0; j < state(); ++j) dot[j] += along.x0[q * state() + j];
      path.start_chain(dot);
    }
    std::fill(along.total.begin(), along.total.end(), PathSums{});
    std::fill(along.interval.begin(), along.interval.end(), PathSums{});
    PathSums sums;
    std::size_t s = 0;
    for (int k = 0;; ++k) {
      for (; grid().saves_at(k, s); ++s) {
        for (std::size_t q = 0; q < count; ++q) {
          save(s, q, path.chain_tangent(q).first(state()), along.interval[q]);
          along.interval[q] = {};
        }
      }
      if (k == grid().end) break;
      const PathSums parts = path.step_along(k, x, std::span(along.step).first(count));
      sums.energy += parts.energy;
      sums.martingale += parts.martingale;
      for (std::size_t q = 0; q < count; ++q) {
        for (PathSums* to : {&along.total[q], &along.interval[q]}) {
          to->energy += along.step[q].energy;
          to->martingale += along.step[q].martingale;
        }
      }
    }
    for (std::size_t q = 0; q < count; ++q) finish(q, along.total[q]);
    const auto leaves_finite = [](double v) { return std::isfinite(static_cast<Real>(v)); };
    return leaves_finite(sums.energy) && leaves_finite(sums.martingale) &&
           std::ranges::all_of(x.first(state()), leaves_finite);
  }

  /// The gradient of one path, a block of unit directions at a time.
  void differentiate_path(const BasicRequest<Real>& request,
                          const BasicCotangents<Real>& cotangents,
                          const BasicGradientOutputs<Real>& gradient,
                          const ReferenceWorkspace& space, const ObservationMap& map,
                          std::uint64_t chunk, std::uint64_t i) {
    Along& along = along_[self()];
    const UnitDirections units{shape_.parameters, gradient.x0.empty() ? 0 : state(),
                               gradient.context.empty() ? 0 : row_size()};
    const std::uint64_t row = map.row(request.first_path + i);
    double* sums = space.gradients + chunk * shape_.parameters;
    double* context_sums = space.context_gradients + (row + chunk) * row_size();
    const auto dot = [](std::span<const Real> values, std::size_t at, double tangent) {
      return values.empty() ? 0.0 : static_cast<double>(values[at]) * tangent;
    };
    for (std::size_t first = 0; first < units.count();) {
      const bool of_state = units.is_state(first);
      const std::size_t end = units.is_parameter(first) ? units.parameters
                              : of_state                ? units.parameters + units.state
                                                        : units.count();
      const std::size_t count = std::min(directions_at_once, end - first);
      const auto unit = [&](std::size_t q) -> double& {
        const std::size_t at = units.place(first + q);
        if (units.is_parameter(first)) return along.parameters[q * shape_.parameters + at];
        return of_state ? along.x0[q * state() + at] : along.context[q * row_size() + at];
      };
      for (std::size_t q = 0; q < count; ++q) unit(q) = 1;
      std::fill(along.products.begin(), along.products.end(), 0.0);
      const bool finite = run_along(
          request, space, map, i, count, along,
          [&](std::size_t s, std::size_t q, std::span<const double> x, const PathSums& interval) {
            const std::size_t at = i * saves() + s;
            double& sum = along.products[q];
            for (std::size_t j = 0; j < x.size(); ++j) {
              sum += dot(cotangents.states, at * state() + j, x[j]);
            }
            sum += dot(cotangents.interval_energy, at, interval.energy) +
                   dot(cotangents.interval_martingale, at, interval.martingale);
          },
          [&](std::size_t q, const PathSums& total) {
            along.products[q] += dot(cotangents.energy, i, total.energy) +
                                 dot(cotangents.martingale, i, total.martingale);
          });
      for (std::size_t q = 0; q < count; ++q) {
        unit(q) = 0;
        const std::size_t at = units.place(first + q);
        const double value = finite ? along.products[q] : 0.0;
        if (units.is_parameter(first)) {
          sums[at] += value;
        } else if (of_state) {
          gradient.x0[i * state() + at] = static_cast<Real>(value);
        } else {
          context_sums[at] += value;
        }
      }
      first += count;
    }
  }

 public:
  void tangents(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs,
                std::span<std::byte> workspace) override {
    if (method_ != GradientMethod::pathwise && !ready_along_) {
      paths_.clear();
      for (int t = 0; t < threads_; ++t) paths_.emplace_back(shape_, method_, at_once);
      ready_along_ = true;
    }
    make_along();
    const Partition cut(request.first_path, request.paths, 1, shape_.parameters);
    const ObservationMap map(shape_, request, 1, cut);
    const ReferenceWorkspace space =
        prepare(parameters, request, cut, map.rows, workspace, Keep::nothing);
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::uint64_t i = 0; i < request.paths; ++i) {
      for (std::size_t first = 0; first < directions.count; first += directions_at_once) {
        tangents_of(request, directions, outputs, space, map, i, first);
      }
    }
  }

 private:
  void tangents_of(const BasicRequest<Real>& request, const BasicDirections<Real>& directions,
                   const BasicOutputs<Real>& outputs, const ReferenceWorkspace& space,
                   const ObservationMap& map, std::uint64_t i, std::size_t first) {
    Along& along = along_[self()];
    const std::size_t count = std::min(directions_at_once, directions.count - first);
    const std::uint64_t row = map.row(request.first_path + i);
    const std::size_t x0_rows =
        directions.x0.size() == directions.count * state() ? 1 : request.paths;
    const auto load = [](std::span<const Real> from, std::size_t at, std::size_t size, double* to) {
      for (std::size_t j = 0; j < size; ++j) {
        to[j] = from.empty() ? 0.0 : static_cast<double>(from[at + j]);
      }
    };
    for (std::size_t q = 0; q < count; ++q) {
      const std::size_t n = first + q;
      load(directions.parameters, n * shape_.parameters, shape_.parameters,
           along.parameters.data() + q * shape_.parameters);
      load(directions.context, (n * map.rows + row) * row_size(), row_size(),
           along.context.data() + q * row_size());
      load(directions.x0, (n * x0_rows + (x0_rows > 1 ? i : 0)) * state(), state(),
           along.x0.data() + q * state());
    }
    const auto put = [](std::span<Real> to, std::size_t at, double value) {
      if (!to.empty()) to[at] = static_cast<Real>(value);
    };
    run_along(
        request, space, map, i, count, along,
        [&](std::size_t s, std::size_t q, std::span<const double> x, const PathSums& interval) {
          const std::size_t at = ((first + q) * request.paths + i) * saves() + s;
          for (std::size_t j = 0; j < x.size(); ++j) put(outputs.states, at * state() + j, x[j]);
          put(outputs.interval_energy, at, interval.energy);
          put(outputs.interval_martingale, at, interval.martingale);
        },
        [&](std::size_t q, const PathSums& total) {
          put(outputs.energy, (first + q) * request.paths + i, total.energy);
          put(outputs.martingale, (first + q) * request.paths + i, total.martingale);
        });
    std::fill(along.parameters.begin(), along.parameters.end(), 0.0);
    std::fill(along.context.begin(), along.context.end(), 0.0);
    std::fill(along.x0.begin(), along.x0.end(), 0.0);
  }

  void reduce(const BasicGradientOutputs<Real>& gradient, const ReferenceWorkspace& space,
              const ObservationMap& map) const {
    if (!gradient.parameters.empty()) {
      for (std::size_t p = 0; p < shape_.parameters; ++p) {
        double sum = 0;
        for (std::uint64_t c = 0; c < map.partition.chunks; ++c) {
          sum += space.gradients[c * shape_.parameters + p];
        }
        gradient.parameters[p] = static_cast<Real>(sum);
      }
    }
    if (gradient.context.empty()) return;
    std::fill_n(space.context, map.rows * row_size(), 0.0);  // done with: it becomes the sum
    for (std::uint64_t c = 0; c < map.partition.chunks; ++c) {
      for (std::uint64_t r = map.first_row(c); r < map.end_row(c); ++r) {
        for (std::size_t j = 0; j < row_size(); ++j) {
          space.context[r * row_size() + j] += space.context_gradients[(r + c) * row_size() + j];
        }
      }
    }
    for (std::size_t j = 0; j < map.rows * row_size(); ++j) {
      gradient.context[j] = static_cast<Real>(space.context[j]);
    }
  }

  ModelShape shape_;
  std::vector<DoubleGridStep> common_grid_;  ///< the model's
  std::vector<OwnGrid> grids_;               ///< a thread's
  std::size_t limit_;
  int threads_;
  GradientMethod method_;
  bool ready_along_ = false;
  std::vector<Along> along_;
  std::vector<ReferencePath> paths_;
  std::vector<std::vector<double>> x_, lambda_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_engine(const ModelShape& shape, const PlanOptions& options,
                                          int threads) {
  return std::make_unique<ReferenceEngine<Real>>(shape, options, threads);
}

template std::unique_ptr<Engine<float>> make_engine(const ModelShape&, const PlanOptions&, int);
template std::unique_ptr<Engine<double>> make_engine(const ModelShape&, const PlanOptions&, int);

}  // namespace ito::reference
