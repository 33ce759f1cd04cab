#include <omp.h>

#include <algorithm>
#include <vector>

#include <ito/check.hpp>

#include "cpu/engine.hpp"
#include "cpu/kernels.hpp"
#include "engine/workspace.hpp"

namespace ito::cpu {
namespace {

/// Rows of a batch in the lanes of tiles, through the same products as the time loop.
class CpuNetwork final : public Network {
 public:
  CpuNetwork(const NetShape& shape, int threads)
      : kernels_(cpu_kernels()),
        layout_(sums_size(shape)),
        net_(shape, layout_, sums_),
        inputs_(shape.inputs()),
        outputs_(shape.outputs()),
        affine_(shape.layers.size() == 1 &&
                shape.layers.front().activation == Activation::identity),
        begin_(shape.parameter_begin()),
        parameters_(shape.parameter_end() - begin_),
        input_(layout_.rows(inputs_)),
        input_cotangent_(layout_.rows(inputs_)),
        output_cotangent_(layout_.rows(outputs_)),
        threads_(thread_count(threads)) {
    for (int i = 0; i < threads_; ++i) scratch_.push_back(aligned_floats(layout_.size()));
    const Partition most(0, std::uint64_t{1} << 32, tile_paths, parameters_);
    gradients_.resize(most.chunks * parameters_);
  }

  void forward(std::span<const float> parameters, std::span<const float> inputs,
               std::span<float> outputs) override {
    const std::uint64_t rows = inputs.size() / static_cast<std::size_t>(inputs_);
    const Partition cut(0, rows, tile_paths, parameters_);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1) if (cut.tiles > 1)
    for (std::uint64_t tile = 0; tile < cut.tiles; ++tile) {
      float* scratch = scratch_[self()].get();
      to_lanes(inputs, tile, inputs_, scratch + input_);
      kernels_.forward(net_, parameters.data(), scratch, scratch + input_, false);
      from_lanes(scratch + net_.output(), tile, outputs_, outputs);
    }
  }

  void backward(std::span<const float> parameters, std::span<const float> inputs,
                std::span<const float> output_cotangents, std::span<float> parameter_gradient,
                std::span<float> input_cotangents) override {
    const std::uint64_t rows = inputs.size() / static_cast<std::size_t>(inputs_);
    const Partition cut(0, rows, tile_paths, parameters_);
    std::fill_n(gradients_.begin(), cut.chunks * parameters_, 0.0);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1) if (cut.chunks > 1)
    for (std::uint64_t chunk = 0; chunk < cut.chunks; ++chunk) {
      for (std::uint64_t i = cut.chunk_begin(chunk); i < cut.chunk_begin(chunk + 1); ++i) {
        backward_tile(parameters, inputs, output_cotangents, input_cotangents, i);
        take_net_sums(net_, scratch_[self()].get(), gradients_.data() + chunk * parameters_,
                      begin_);
      }
    }
    for (std::size_t p = 0; p < parameters_; ++p) {
      double sum = 0;
      for (std::uint64_t c = 0; c < cut.chunks; ++c) sum += gradients_[c * parameters_ + p];
      parameter_gradient[begin_ + p] += static_cast<float>(sum);
    }
  }

 private:
  static std::size_t sums_size(const NetShape& shape) {
    ScratchLayout scratch, sums;
    const TileNet net(shape, scratch, sums);
    return sums.size();
  }
  std::size_t self() const { return static_cast<std::size_t>(omp_get_thread_num()); }

  void backward_tile(std::span<const float> parameters, std::span<const float> inputs,
                     std::span<const float> output_cotangents, std::span<float> input_cotangents,
                     std::uint64_t tile) {
    float* scratch = scratch_[self()].get();
    to_lanes(inputs, tile, inputs_, scratch + input_);
    to_lanes(output_cotangents, tile, outputs_, scratch + output_cotangent_);
    std::fill_n(scratch + input_cotangent_, inputs_ * tile_paths, 0.0f);
    if (!affine_) kernels_.forward(net_, parameters.data(), scratch, scratch + input_, true);
    kernels_.backward(net_, parameters.data(), scratch, scratch + input_,
                      scratch + output_cotangent_,
                      input_cotangents.empty() ? nullptr : scratch + input_cotangent_);
    if (!input_cotangents.empty()) {
      from_lanes(scratch + input_cotangent_, tile, inputs_, input_cotangents);
    }
  }

  /// Rows 64·tile … of [., width] into lanes, zeros past the end.
  static void to_lanes(std::span<const float> rows, std::uint64_t tile, int width, float* lanes) {
    const auto w = static_cast<std::size_t>(width);
    const std::size_t begin = tile * tile_paths, count = rows.size() / w;
    for (std::size_t lane = 0; lane < tile_paths; ++lane) {
      const bool inside = begin + lane < count;
      for (std::size_t j = 0; j < w; ++j) {
        lanes[j * tile_paths + lane] = inside ? rows[(begin + lane) * w + j] : 0.0f;
      }
    }
  }

  static void from_lanes(const float* lanes, std::uint64_t tile, int width, std::span<float> rows) {
    const auto w = static_cast<std::size_t>(width);
    const std::size_t begin = tile * tile_paths, count = rows.size() / w;
    for (std::size_t lane = 0; lane < tile_paths && begin + lane < count; ++lane) {
      for (std::size_t j = 0; j < w; ++j) {
        rows[(begin + lane) * w + j] = lanes[j * tile_paths + lane];
      }
    }
  }

  const CpuKernels& kernels_;
  ScratchLayout layout_, sums_;
  TileNet net_;
  int inputs_, outputs_;
  bool affine_;  ///< its gradient needs no trace
  std::size_t begin_, parameters_;
  std::size_t input_, input_cotangent_, output_cotangent_;
  int threads_;
  std::vector<AlignedFloats> scratch_;
  std::vector<double> gradients_;
};

}  // namespace

std::unique_ptr<Network> make_network(const NetShape& shape, int threads) {
  return std::make_unique<CpuNetwork>(shape, threads);
}

}  // namespace ito::cpu
