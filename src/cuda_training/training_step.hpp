#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ito/plan.hpp>

#include "cuda/buffer.hpp"
#include "cuda_training/device_initial_posterior.hpp"
#include "cuda_training/row_arrays.hpp"
#include "cuda_training/training_arrays.hpp"
#include "cuda_training/training_kernels.hpp"

namespace ito::cuda {

/// The likelihood's count or degrees of freedom; 1 of others.
float number_of(const Likelihood& likelihood);

/// The work of a training step on a device: the memory of a training, and the kernels and calls of
/// a plan that a step is captured from.
class TrainingStep {
 public:
  /// `memory`: bytes that the paths of a block may take.
  TrainingStep(const TrainingTask& task, std::shared_ptr<Gpu> gpu, int ordinal, std::size_t memory);

  const TrainingSizes& sizes() const { return sizes_; }
  const TrainingArrays& arrays() const { return arrays_; }
  const std::optional<DeviceSequenceEncoder>& sequence() const { return sequence_; }
  const RowArrays& rows() const { return rows_; }

  /// A step of a minibatch of `rows` observations.
  std::unique_ptr<GpuGraph> capture(GpuStream stream, std::size_t rows);

 private:
  struct Block {
    std::size_t first, rows;  ///< of the minibatch
    double share;             ///< of an observation in the minibatch
    std::size_t paths;
    bool last;
  };
  /// A way back: from which cotangents, and whether to the gradient of the encoder and the control,
  /// of the others, or of all.
  struct Sweep {
    CotangentRows by;
    bool sticks_the_landing;
    bool of_posterior, of_others;
  };
  /// Of y, as an encoder takes it.
  struct Scaling {
    double shift = 0, scale = 1;
  };
  static unsigned number(std::size_t count) { return static_cast<unsigned>(count); }
  Scaling scaling() const;
  TrainingKind kind() const;
  std::vector<Sweep> sweeps() const;
  void encode(const Block& block);
  void gather(const Block& block);
  void simulate(const Block& block);
  void decode(const Block& block);
  void decode_back(const Block& block, const Sweep& sweep);
  void adjoint(const Block& block, const Sweep& sweep);
  void encode_back(const Block& block);
  void collect(const Block& block, std::size_t minibatch);
  void move();

  Request request(const Block& block) const;
  PickedRows picked(const Block& block) const;
  InitialArguments start_of(const Block& block) const;
  /// What the encoder gives, [R, intervals, own context], or null; and where its cotangents go.
  const float* encoded() const;
  float* encoded_cotangents() const;
  const SeriesLength* lengths() const { return sequence_ ? sequence_->lengths() : nullptr; }
  /// That add to `gradient`, of all parameters.
  NetCalls nets(float* gradient) const;
  NetCalls nets() const { return nets(arrays_.gradient); }
  template <class Arguments>
  void put(const GpuKernel& kernel, std::size_t blocks, unsigned threads, unsigned shared_bytes,
           const Arguments& arguments) const {
    if (blocks > 0)
      launch(*gpu_, kernel, blocks, static_cast<int>(threads), static_cast<int>(shared_bytes),
             arguments, stream_);
  }
  bool has_wide_nets() const { return encoder_.wide || decoder_.wide || sequence_; }
  /// One of all numbers.
  bool has_learned_scale() const { return task_.shape.log_scales > 0 && !sizes_.learned_scales; }
  std::size_t decoded(const Block& block) const { return block.paths * sizes_.times; }

  const TrainingTask& task_;
  std::shared_ptr<Gpu> gpu_;
  TrainingSizes sizes_;
  RowArrays rows_;
  TrainingNet encoder_, decoder_;
  std::optional<DeviceSequenceEncoder> sequence_;
  std::optional<DeviceInitialPosterior> initial_;
  Plan plan_;
  TrainingKernels kernels_;
  std::optional<DeviceNetKernels> net_kernels_;  ///< of wide nets
  GpuBuffer memory_, plan_workspace_, product_workspace_;
  TrainingArrays arrays_{};
  Stream stream_;  ///< that is being captured
  Recording recording_;
};

}  // namespace ito::cuda
