#include "reference/engine.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/call.hpp"
#include "engine/threads.hpp"
#include "reference/path.hpp"

namespace ito {
namespace {

/// One call's arrays in the workspace.
struct ReferenceWorkspace {
  Tape tape;
  double* parameters;         // [P]
  double* context;            // [R, I, C]
  double* states;             // [tiles, checkpoints, carried]
  double* segments;           // [threads, segment, carried]
  std::uint8_t* status;       // [tiles]
  double* gradients;          // [chunks, P]
  double* context_gradients;  // [R + chunks, I, C]
  std::size_t bytes;
};

template <class Real>
class ReferenceEngine final : public Engine<Real> {
 public:
  ReferenceEngine(const ModelShape& shape, const PlanOptions& options)
      : shape_(shape), limit_(options.workspace_limit), threads_(thread_count(options.threads)) {
    for (int i = 0; i < threads_; ++i) paths_.emplace_back(shape_);
    x_.resize(static_cast<std::size_t>(threads_), std::vector<double>(carried()));
    lambda_ = x_;
  }

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations) const override {
    return lay_out(nullptr, Partition::largest(paths, 1, shape_.parameters), observations).bytes;
  }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte> workspace,
                bool record) override {
    const Partition cut(request.first_path, request.paths, 1, shape_.parameters);
    const ObservationMap map(shape_, request, 1, cut);
    const ReferenceWorkspace space = prepare(parameters, request, cut, map.rows, workspace);
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::uint64_t i = 0; i < request.paths; ++i) {
      simulate_path(request, outputs, space, map, i, record);
    }
  }

  void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               std::span<std::byte> workspace, AdjointOptions options, bool recorded) override {
    if (!recorded) simulate(parameters, request, {}, workspace, true);
    const Partition cut(request.first_path, request.paths, 1, shape_.parameters);
    const ObservationMap map(shape_, request, 1, cut);
    const ReferenceWorkspace space = prepare(parameters, request, cut, map.rows, workspace);
    std::fill_n(space.gradients, cut.chunks * shape_.parameters, 0.0);
    std::fill_n(space.context_gradients, (map.rows + cut.chunks) * row_size(), 0.0);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
    for (std::uint64_t chunk = 0; chunk < cut.chunks; ++chunk) {
      for (std::uint64_t i = cut.chunk_begin(chunk); i < cut.chunk_begin(chunk + 1); ++i) {
        reverse_path(request, cotangents, gradient, space, map, chunk, i, options);
      }
    }
    reduce(gradient, space, map);
  }

 private:
  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  /// Numbers a chain carries on: x, and x̂ where the solver has one.
  std::size_t carried() const { return paths_.front().carried(); }
  std::size_t saves() const { return shape_.save.size(); }
  std::size_t row_size() const {
    return static_cast<std::size_t>(shape_.context() * shape_.intervals());
  }
  std::size_t self() const { return static_cast<std::size_t>(omp_get_thread_num()); }

  ReferenceWorkspace lay_out(std::byte* base, const Partition& cut, std::uint64_t rows) const {
    Arena arena(base);
    ReferenceWorkspace space{};
    space.tape =
        Tape::choose(cut.most_tiles, shape_.steps, carried() * sizeof(double), threads_, limit_);
    space.parameters = arena.take<double>(shape_.parameters);
    space.context = arena.take<double>(rows * row_size());
    space.states = arena.take<double>(cut.tiles * space.tape.checkpoints * carried());
    space.segments =
        arena.take<double>(static_cast<std::size_t>(threads_) * space.tape.segment * carried());
    space.status = arena.take<std::uint8_t>(cut.tiles);
    space.gradients = arena.take<double>(cut.chunks * shape_.parameters);
    space.context_gradients = arena.take<double>((rows + cut.chunks) * row_size());
    space.bytes = arena.bytes();
    return space;
  }

  ReferenceWorkspace prepare(std::span<const Real> parameters, const BasicRequest<Real>& request,
                             const Partition& cut, std::uint64_t rows,
                             std::span<std::byte> workspace) const {
    const ReferenceWorkspace space = lay_out(Arena::align(workspace), cut, rows);
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
    if (chain.size() > state()) std::copy(x.begin(), x.end(), chain.begin() + shape_.state);
  }

  void simulate_path(const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                     const ReferenceWorkspace& space, const ObservationMap& map, std::uint64_t i,
                     bool record) {
    ReferencePath& path = paths_[self()];
    const std::span<double> x = x_[self()];
    path.bind(space.parameters, space.context + map.row(request.first_path + i) * row_size(),
              request.seed, request.first_path + i, request.refinement);
    load_initial(request, i, path, x);
    PathSums total, interval;
    std::size_t s = 0;
    for (int k = 0;; ++k) {
      if (s < saves() && shape_.save[s] == k) save(outputs, i, s++, x.first(state()), interval);
      if (k == shape_.steps) break;
      if (record && static_cast<std::uint64_t>(k) % space.tape.stride == 0) {
        std::copy(x.begin(), x.end(), checkpoint(space, i, k));
      }
      const PathSums parts = path.step(k, x);
      for (PathSums* sums : {&total, &interval}) {
        sums->energy += parts.energy;
        sums->martingale += parts.martingale;
      }
    }
    const auto leaves_finite = [](double v) { return std::isfinite(static_cast<Real>(v)); };
    const bool finite = leaves_finite(total.energy) && leaves_finite(total.martingale) &&
                        std::all_of(x.begin(), x.end(), leaves_finite);
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
    const std::uint64_t c = static_cast<std::uint64_t>(k) / space.tape.stride;
    return space.states + (i * space.tape.checkpoints + c) * carried();
  }

  /// The states x_begin … x_{end−1} of a path, stored or recomputed.
  const double* segment(const ReferenceWorkspace& space, ReferencePath& path, std::uint64_t i,
                        int begin, int end) {
    const double* stored = checkpoint(space, i, begin);
    if (space.tape.stride == 1) return stored;
    double* out = space.segments + self() * space.tape.segment * carried();
    const std::span<double> x = x_[self()];
    std::copy_n(stored, carried(), x.begin());
    for (int k = begin; k < end; ++k) {
      std::copy(x.begin(), x.end(), out + static_cast<std::size_t>(k - begin) * carried());
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
      ReferencePath& path = paths_[self()];
      const std::uint64_t row = map.row(request.first_path + i);
      path.bind(space.parameters, space.context + row * row_size(), request.seed,
                request.first_path + i, request.refinement);
      double* sums = space.gradients + chunk * shape_.parameters;
      double* context_sums = space.context_gradients + (row + chunk) * row_size();
      reverse_steps(cotangents, space, path, i, options, sums, context_sums);
      // x̂_0 is x_0.
      for (std::size_t j = state(); j < carried(); ++j) lambda[j - state()] += lambda[j];
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
    const auto arrive = [&](int k) {  // at x_k: take in what was observed there
      if (s == 0 || shape_.save[s - 1] != k) return;
      const std::size_t at = i * saves() + --s;
      for (std::size_t j = 0; j < state() && !cotangents.states.empty(); ++j) {
        if (!options.detach_state) lambda[j] += cotangents.states[at * state() + j];
      }
      now = total;
      if (!cotangents.interval_energy.empty()) now.energy += cotangents.interval_energy[at];
      if (!cotangents.interval_martingale.empty()) {
        now.martingale += cotangents.interval_martingale[at];
      }
    };
    arrive(shape_.steps);
    const auto stride = static_cast<int>(space.tape.stride);
    for (int end = shape_.steps; end > 0;) {
      const int begin = (end - 1) / stride * stride;
      const double* states = segment(space, path, i, begin, end);
      for (int k = end - 1; k >= begin; --k) {
        const std::span<const double> x(states + static_cast<std::size_t>(k - begin) * carried(),
                                        carried());
        path.reverse(k, x, lambda, now, options, sums, context_sums);
        arrive(k);
      }
      end = begin;
    }
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
  std::size_t limit_;
  int threads_;
  std::vector<ReferencePath> paths_;
  std::vector<std::vector<double>> x_, lambda_;
};

}  // namespace

template <class Real>
std::unique_ptr<Engine<Real>> make_reference_engine(const ModelShape& shape,
                                                    const PlanOptions& options) {
  return std::make_unique<ReferenceEngine<Real>>(shape, options);
}

template std::unique_ptr<Engine<float>> make_reference_engine(const ModelShape&,
                                                              const PlanOptions&);
template std::unique_ptr<Engine<double>> make_reference_engine(const ModelShape&,
                                                               const PlanOptions&);

}  // namespace ito
