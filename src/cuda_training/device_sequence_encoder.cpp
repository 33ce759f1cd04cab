#include "cuda_training/device_sequence_encoder.hpp"

#include <variant>
#include <vector>

#include "inference/sequence_encoder.hpp"

namespace ito::cuda {

DeviceSequenceEncoder::DeviceSequenceEncoder(const TrainingTask& task, std::size_t rows)
    : task_(task),
      shape_(*task.shape.sequence_encoder),
      rows_(rows),
      slots_(size(task.shape.times)),
      width_(std::get<GruShape>(shape_.states).input.inputs()),
      states_(std::get<GruShape>(shape_.states), shape_.observation()),
      context_(shape_.context) {
  if (shape_.initial) initial_.emplace(*shape_.initial);
}

void DeviceSequenceEncoder::place(Arena& arena) {
  const std::size_t count = task_.training.count;
  all_times_ = arena.take<double>(count * slots_);
  all_lengths_ = arena.take<SeriesLength>(count);
  lengths_ = arena.take<SeriesLength>(rows_);
  observations_ = arena.take<float>(entries() * size(width_));
  cotangents_ = arena.take<float>(entries() * size(shape_.state()));
  states_.place(arena, rows_, slots_);
  context_.place(arena, static_cast<int>(entries()));
  context_.place_cotangents(arena, static_cast<int>(entries()));
  if (!initial_) return;
  initial_->place(arena, static_cast<int>(rows_));
  initial_->place_cotangents(arena, static_cast<int>(rows_));
}

void DeviceSequenceEncoder::place_sums(Arena& arena) {
  states_.place_sums(arena, rows_, slots_);
  context_.place_sums(arena, static_cast<int>(entries()));
  if (initial_) initial_->place_sums(arena, static_cast<int>(rows_));
}

void DeviceSequenceEncoder::upload(Gpu& gpu, GpuStream stream, const ObservationBlock& all) const {
  const std::size_t count = task_.training.count;
  std::vector<double> times(all.times.begin(), all.times.end());
  std::vector<int> whole(all.lengths.begin(), all.lengths.end()), read;
  if (times.empty()) {
    for (std::size_t row = 0; row < count; ++row)
      for (const int step : task_.shape.model.save)
        times.push_back(task_.shape.model.grid[size(step)]);
    whole.assign(count, task_.shape.times);
  }
  take_read_lengths(shape_.reads,
                    {.slots = slots_, .y = task_.training.values, .times = times, .lengths = whole},
                    read);
  std::vector<SeriesLength> lengths;
  for (std::size_t row = 0; row < count; ++row)
    lengths.push_back({static_cast<unsigned>(whole[row]), static_cast<unsigned>(read[row])});
  gpu.copy(all_times_, times.data(), times.size() * sizeof(double), stream);
  gpu.copy(all_lengths_, lengths.data(), lengths.size() * sizeof(SeriesLength), stream);
  gpu.synchronize(stream);  // the host's copies end here
}

void DeviceSequenceEncoder::forward(const NetCalls& nets, const TrainingKernels& kernels,
                                    const PickedRows& picked, const float* values,
                                    const float* inputs) const {
  const std::size_t entries = picked.rows * slots_;
  nets.launch_for(
      kernels.observe, entries * size(width_),
      ObserveArguments{picked, values, inputs, all_times_, all_lengths_, lengths_, observations_,
                       shape_.shift, shape_.scale, static_cast<unsigned>(slots_),
                       static_cast<unsigned>(shape_.observed), static_cast<unsigned>(shape_.inputs),
                       static_cast<unsigned>(width_)});
  states_.forward(nets, kernels, block(picked.rows));
  nets.forward(context_, states_.states(), shape_.state(), entries);
  if (initial_) nets.forward(*initial_, states_.states(), first_stride(), picked.rows);
}

void DeviceSequenceEncoder::backward(const NetCalls& nets, const TrainingKernels& kernels,
                                     std::size_t rows) const {
  nets.backward(context_, states_.states(), shape_.state(), rows * slots_, cotangents_);
  if (initial_) nets.backward(*initial_, states_.states(), first_stride(), rows, cotangents_, true);
  states_.backward(nets, kernels, block(rows), cotangents_);
}

}  // namespace ito::cuda
