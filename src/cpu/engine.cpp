#include "cpu/engine.hpp"

#include <omp.h>

#include <algorithm>
#include <optional>
#include <vector>

#include <ito/check.hpp>

#include "cpu/direction_runner.hpp"
#include "model/check.hpp"

namespace ito::cpu {
namespace {

class CpuEngine final : public Engine<float> {
 public:
  CpuEngine(const ModelShape& shape, const PlanOptions& options, int threads)
      : shape_(shape),
        model_(shape, {.scheme = options.gradient == GradientMethod::pathwise,
                       .field = options.gradient == GradientMethod::stochastic_adjoint,
                       .directions = options.gradient == GradientMethod::pathwise ? at_once : 0}),
        kernels_(cpu_kernels()),
        limit_(options.workspace_limit.value_or(PlanOptions::usual_workspace_limit)),
        threads_(thread_count(threads)),
        method_(options.gradient) {
    for (int i = 0; i < threads_; ++i) scratch_.push_back(aligned_floats(model_.scratch.size()));
    if (method_ == GradientMethod::pathwise) {
      const std::size_t row = context_size();
      unit_directions_.resize(
          static_cast<std::size_t>(threads_),
          std::vector<float>(directions_at_once * (shape_.parameters + state() + row)));
    }
  }

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations,
                              Keep keep) const override {
    const auto cut = Partition::largest(paths, tile_paths, shape_.parameters);
    return lay_out(nullptr, cut, observations, keep).bytes;
  }

  void simulate(std::span<const float> parameters, const BasicRequest<float>& request,
                const BasicOutputs<float>& outputs, std::span<std::byte> workspace,
                Keep keep) override {
    const Partition cut(request.first_path, request.paths, tile_paths, shape_.parameters);
    const ObservationMap map(shape_, request, tile_paths, cut);
    const CpuWorkspace space = prepare(parameters, request, cut, map.rows, workspace, keep);
    const CpuCall call{shape_, model_, kernels_, parameters, request, space, map};
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1) if (cut.tiles > 1)
    for (std::uint64_t tile = 0; tile < cut.tiles; ++tile) {
      TileRunner(call, tile, scratch_[self()].get()).simulate(outputs, keep != Keep::nothing);
    }
  }

  void adjoint(std::span<const float> parameters, const BasicRequest<float>& request,
               const BasicCotangents<float>& cotangents,
               const BasicGradientOutputs<float>& gradient, std::span<std::byte> workspace,
               AdjointOptions options) override {
    const bool pathwise = method_ == GradientMethod::pathwise;
    const Partition cut(request.first_path, request.paths, tile_paths, shape_.parameters);
    const ObservationMap map(shape_, request, tile_paths, cut);
    const CpuWorkspace space = prepare(parameters, request, cut, map.rows, workspace, Keep::most);
    const CpuCall call{shape_, model_, kernels_, parameters, request, space, map};
    std::fill_n(space.gradients, cut.chunks * shape_.parameters, 0.0);
    std::fill_n(space.row_gradients, (map.rows + cut.chunks) * row_size(), 0.0);
    std::fill_n(space.context_gradients, pathwise ? (map.rows + cut.chunks) * context_size() : 0,
                0.0);
    std::fill(gradient.x0.begin(), gradient.x0.end(), 0.0f);
    const std::size_t segment = space.tape.segment * chain(1).stored;
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1) if (cut.chunks > 1)
    for (std::uint64_t chunk = 0; chunk < cut.chunks; ++chunk) {
      for (std::uint64_t i = cut.chunk_begin(chunk); i < cut.chunk_begin(chunk + 1); ++i) {
        if (pathwise) {
          DirectionRunner(call, i, scratch_[self()].get())
              .gradient(cotangents, gradient, chunk, unit_directions_[self()].data());
        } else {
          TileRunner(call, i, scratch_[self()].get())
              .adjoint(cotangents, gradient, options, chunk, space.segments + self() * segment);
        }
      }
    }
    if (pathwise) {
      sum_context(call, gradient);
    } else {
      reduce_rows(call, gradient);
    }
    for (std::size_t p = 0; p < gradient.parameters.size(); ++p) {
      double sum = 0;
      for (std::uint64_t c = 0; c < cut.chunks; ++c) {
        sum += space.gradients[c * shape_.parameters + p];
      }
      gradient.parameters[p] = static_cast<float>(sum);
    }
  }

  void tangents(std::span<const float> parameters, const BasicRequest<float>& request,
                const BasicDirections<float>& directions, const BasicOutputs<float>& outputs,
                std::span<std::byte> workspace) override {
    if (!along_model_) {
      along_model_.emplace(shape_, TileModel::Use{.scheme = true, .directions = at_once});
      for (int i = 0; i < threads_; ++i) {
        along_scratch_.push_back(aligned_floats(along_model_->scratch.size()));
      }
    }
    const Partition cut(request.first_path, request.paths, tile_paths, shape_.parameters);
    const ObservationMap map(shape_, request, tile_paths, cut);
    const CpuWorkspace space =
        prepare(parameters, request, cut, map.rows, workspace, Keep::nothing);
    const CpuCall call{shape_, *along_model_, kernels_, parameters, request, space, map};
    const std::vector<float> zeros(
        directions.parameters.empty() ? directions_at_once * shape_.parameters : 0);
    const std::size_t n = directions.x0.size() == directions.count * state() ? 1 : request.paths;
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1) if (cut.tiles > 1)
    for (std::uint64_t tile = 0; tile < cut.tiles; ++tile) {
      DirectionRunner runner(call, tile, along_scratch_[self()].get());
      for (std::size_t q = 0; q < directions.count; q += directions_at_once) {
        const auto from = [q](std::span<const float> values, std::size_t size) {
          return values.empty() ? nullptr : values.data() + q * size;
        };
        const DirectionArrays arrays{
            zeros.empty() ? from(directions.parameters, shape_.parameters) : zeros.data(),
            from(directions.x0, n * state()),
            n * state(),
            n > 1 ? state() : 0,
            from(directions.context, map.rows * context_size()),
            map.rows * context_size(),
            context_size()};
        runner.tangents(arrays, q, std::min(directions_at_once, directions.count - q), outputs);
      }
    }
  }

 private:
  static constexpr int at_once = static_cast<int>(directions_at_once);

  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  /// Numbers in the context of one observation.
  std::size_t context_size() const {
    return static_cast<std::size_t>(shape_.context()) *
           static_cast<std::size_t>(shape_.intervals());
  }
  std::size_t self() const { return static_cast<std::size_t>(omp_get_thread_num()); }

  /// Numbers in the bias rows of one observation.
  std::size_t row_size() const {
    return static_cast<std::size_t>(shape_.intervals()) *
           static_cast<std::size_t>(shape_.bias_row());
  }

  /// A tile's chain, `unit` a number.
  ChainSize chain(std::size_t unit) const {
    unit *= tile_paths;
    return {static_cast<std::size_t>(model_.stored) * unit,
            static_cast<std::size_t>(model_.carried) * unit};
  }

  CpuWorkspace lay_out(std::byte* base, const Partition& cut, std::uint64_t rows, Keep keep) const {
    const auto entries = static_cast<std::size_t>(model_.entries.count());
    Arena arena(base);
    CpuWorkspace space{};
    space.sigma = arena.take<float>(entries);
    space.sigma_slope = arena.take<float>(entries);
    space.bias_rows = arena.take<float>(rows * row_size());
    space.tape = Tape::none();
    if (keep != Keep::nothing) lay_out_gradient(arena, space, cut, rows, keep);
    space.bytes = arena.bytes();
    return space;
  }

  void lay_out_gradient(Arena& arena, CpuWorkspace& space, const Partition& cut, std::uint64_t rows,
                        Keep keep) const {
    space.tape = needs_tape(method_) ? Tape::choose(cut.most_tiles, shape_.steps,
                                                    chain(sizeof(float)), threads_, limit_, keep)
                                     : Tape::of_last_state();
    space.states =
        arena.take<float>(cut.tiles * space.tape.checkpoints * space.tape.entry(chain(1)));
    space.segments = arena.take<float>(static_cast<std::size_t>(threads_) * space.tape.segment *
                                       chain(1).stored);
    space.status = arena.take<std::uint8_t>(cut.tiles * tile_paths);
    space.gradients = arena.take<double>(cut.chunks * shape_.parameters);
    space.row_gradients = arena.take<double>((rows + cut.chunks) * row_size());
    space.context_gradients = arena.take<double>(
        method_ == GradientMethod::pathwise ? (rows + cut.chunks) * context_size() : 0);
  }

  /// Lays out the workspace and makes what does not change in time: constant σ and the bias rows.
  CpuWorkspace prepare(std::span<const float> parameters, const BasicRequest<float>& request,
                       const Partition& cut, std::uint64_t rows, std::span<std::byte> workspace,
                       Keep wanted) const {
    const CpuWorkspace space = lay_out_in(workspace, wanted, [&](std::byte* base, Keep keep) {
      return lay_out(base, cut, rows, keep);
    });
    for (int e = 0; e < model_.entries.count() && !shape_.diffusion_net; ++e) {
      const auto sigma = constant_entry(shape_, parameters, e);
      space.sigma[e] = static_cast<float>(sigma.value);
      space.sigma_slope[e] = static_cast<float>(sigma.slope);
    }
    if (shape_.context() == 0) return space;
    const auto h = static_cast<std::size_t>(shape_.bias_row());
    const auto contexts = static_cast<std::size_t>(shape_.context());
#pragma omp parallel for num_threads(threads_) if (rows > 16)
    for (std::size_t r = 0; r < rows * static_cast<std::size_t>(shape_.intervals()); ++r) {
      const float* c = request.context.data() + r * contexts;
      model_.for_row_nets([&](const TileNet& net) {
        const TileLayer& layer = net.layers.front();
        float* row = space.bias_rows + r * h + net.bias_row;
        for (int i = 0; i < layer.outputs; ++i) {
          const float* weight = context_weights(net, parameters.data(), i);
          double sum = parameters[layer.bias + size(i)];
          for (int j = 0; j < net.context; ++j) sum += double{weight[j]} * c[j];
          row[i] = static_cast<float>(sum);
        }
      });
    }
    return space;
  }

  /// The context columns of row i of a net's first layer, in an array laid out as the parameters.
  template <class Number>
  static Number* context_weights(const TileNet& net, Number* flat, int i) {
    const TileLayer& layer = net.layers.front();
    return flat + layer.weight + size(i) * size(layer.row_length) + net.context_column();
  }

  /// From bias-row gradients to those of bias, context weights and context. Adds to the first
  /// chunk's gradient.
  void reduce_rows(const CpuCall& call, const BasicGradientOutputs<float>& gradient) const {
    if (shape_.context() == 0) return;
    const auto h = static_cast<std::size_t>(shape_.bias_row());
    const Partition& cut = call.map.partition;
    double* entries = call.space.row_gradients;
    for (std::uint64_t c = 0; c < cut.chunks;
         ++c) {  // gather an observation's entries in its first
      const std::uint64_t r = call.map.first_row(c);
      if (c == 0 || call.map.end_row(c - 1) <= r) continue;
      first_entry(call, r, c, entries);
    }
    for (std::uint64_t c = 0; c < cut.chunks; ++c) {
      for (std::uint64_t r = call.map.first_row(c); r < call.map.end_row(c); ++r) {
        if (c > 0 && r < call.map.end_row(c - 1)) continue;
        for (std::size_t i = 0; i < static_cast<std::size_t>(shape_.intervals()); ++i) {
          const std::size_t row = r * static_cast<std::size_t>(shape_.intervals()) + i;
          add_row_gradient(entries + (r + c) * row_size() + i * h, call, row, gradient);
        }
      }
    }
  }

  /// Adds the entry of observation r in chunk c to that in the first chunk that has one.
  void first_entry(const CpuCall& call, std::uint64_t r, std::uint64_t c, double* entries) const {
    std::uint64_t first = c;
    while (first > 0 && call.map.end_row(first - 1) > r) --first;
    for (std::size_t j = 0; j < row_size(); ++j) {
      entries[(r + first) * row_size() + j] += entries[(r + c) * row_size() + j];
    }
  }

  /// The context's gradient from the entries of all chunks, of the pathwise method.
  void sum_context(const CpuCall& call, const BasicGradientOutputs<float>& gradient) const {
    const std::size_t row = context_size();
    if (row == 0 || gradient.context.empty()) return;
    const Partition& cut = call.map.partition;
    for (std::size_t i = 0; i < gradient.context.size(); ++i) {
      const std::uint64_t r = i / row;
      double sum = 0;
      for (std::uint64_t c = 0; c < cut.chunks; ++c) {
        if (r < call.map.first_row(c) || r >= call.map.end_row(c)) continue;
        sum += call.space.context_gradients[(r + c) * row + i % row];
      }
      gradient.context[i] = static_cast<float>(sum);
    }
  }

  void add_row_gradient(const double* row_gradient, const CpuCall& call, std::size_t row,
                        const BasicGradientOutputs<float>& gradient) const {
    const std::size_t contexts = size(shape_.context());
    const float* c = call.request.context.data() + row * contexts;
    model_.for_row_nets([&](const TileNet& net) {
      const TileLayer& layer = net.layers.front();
      for (int i = 0; i < layer.outputs; ++i) {
        const double bias_gradient = row_gradient[net.bias_row + i];
        if (bias_gradient == 0) continue;  // a context that rules nowhere may be any number
        call.space.gradients[layer.bias + size(i)] += bias_gradient;
        double* weights = context_weights(net, call.space.gradients, i);
        for (int j = 0; j < net.context; ++j) weights[j] += bias_gradient * c[j];
      }
    });
    for (std::size_t j = 0; j < contexts && !gradient.context.empty(); ++j) {
      double sum = 0;
      model_.for_row_nets([&](const TileNet& net) {
        for (int i = 0; j < size(net.context) && i < net.layers.front().outputs; ++i) {
          sum += double{context_weights(net, call.parameters.data(), i)[j]} *
                 row_gradient[net.bias_row + i];
        }
      });
      gradient.context[row * contexts + j] = static_cast<float>(sum);
    }
  }

  ModelShape shape_;
  TileModel model_;
  const CpuKernels& kernels_;
  std::size_t limit_;
  int threads_;
  GradientMethod method_;
  std::vector<AlignedFloats> scratch_;
  std::vector<std::vector<float>> unit_directions_;  ///< a thread's, all zero between calls
  std::optional<TileModel> along_model_;             ///< made when tangents are first asked for
  std::vector<AlignedFloats> along_scratch_;
};

}  // namespace

std::unique_ptr<Engine<float>> make_engine(const ModelShape& shape, const PlanOptions& options,
                                           int threads) {
  return std::make_unique<CpuEngine>(shape, options, threads);
}

}  // namespace ito::cpu
