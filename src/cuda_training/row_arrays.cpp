#include "cuda_training/row_arrays.hpp"

#include <vector>

#include "cuda/arguments.hpp"
#include "model/check.hpp"

namespace ito::cuda {

RowArrays::RowArrays(const TrainingTask& task)
    : intervals(size(task.shape.model.intervals())),
      inputs(size(task.shape.model.inputs)),
      own(size(task.shape.model.own_context())),
      series(task.shape.sequence_encoder.has_value()) {
  if (task.training.grids.empty()) return;
  steps = size(task.shape.model.steps);
  saves = size(task.shape.times);
}

void RowArrays::place(Arena& arena, std::size_t count, std::size_t rows) {
  if (has_grids()) {
    all_steps = arena.take<ito::GridStep>(count * steps);
    block_steps = arena.take<ito::GridStep>(rows * steps);
    all_saves = arena.take<int>(count * saves);
    block_saves = arena.take<int>(rows * saves);
  }
  if (puts_together()) {
    all_inputs = arena.take<float>(count * intervals * inputs);
    contexts = arena.take<float>(rows * context_numbers());
    cotangents = arena.take<float>(rows * context_numbers());
  }
}

void RowArrays::upload(Gpu& gpu, GpuStream stream, const ObservationBlock& all) const {
  std::vector<ito::GridStep> rounded;
  rounded.reserve(all.grid.size());
  for (const DoubleGridStep& step : all.grid) {
    rounded.push_back({static_cast<float>(step.time), static_cast<float>(step.step),
                       static_cast<float>(step.root_step), step.interval});
  }
  gpu.copy(all_steps, rounded.data(), rounded.size() * sizeof(ito::GridStep), stream);
  gpu.copy(all_saves, all.save.data(), all.save.size_bytes(), stream);
  gpu.copy(all_inputs, all.inputs.data(), all.inputs.size_bytes(), stream);
  gpu.synchronize(stream);  // the host's copies end here
}

GatherArguments RowArrays::gathered(const PickedRows& picked, const float* encoded,
                                    const SeriesLength* lengths) const {
  return {picked,
          device_steps(all_steps),
          all_saves,
          all_inputs,
          encoded,
          lengths,
          reinterpret_cast<GridStep<float>*>(block_steps),
          block_saves,
          contexts,
          static_cast<unsigned>(steps),
          static_cast<unsigned>(saves),
          static_cast<unsigned>(intervals),
          static_cast<unsigned>(inputs),
          static_cast<unsigned>(own)};
}

OwnCotangentArguments RowArrays::own_cotangents(std::size_t rows, float* encoded,
                                                const SeriesLength* lengths) const {
  return {cotangents,
          lengths,
          encoded,
          static_cast<unsigned>(rows),
          static_cast<unsigned>(intervals),
          static_cast<unsigned>(inputs),
          static_cast<unsigned>(own)};
}

}  // namespace ito::cuda
