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
      states_(states_of(shape_)),
      width_(std::visit([](const auto& states) { return states.width(); }, states_)),
      context_(shape_.context) {
  if (shape_.initial) initial_.emplace(*shape_.initial);
}

DeviceSequenceEncoder::States DeviceSequenceEncoder::states_of(const SequenceEncoderShape& shape) {
  const int observation = shape.observation();
  if (const auto* gru = std::get_if<GruShape>(&shape.states)) return DeviceGru(*gru, observation);
  return DeviceAttention(std::get<AttentionShape>(shape.states), observation);
}

std::size_t DeviceSequenceEncoder::delta_numbers() const {
  const auto* attention = std::get_if<DeviceAttention>(&states_);
  return attention ? entries() * attention->delta_numbers() : 0;
}

void DeviceSequenceEncoder::place(Arena& arena) {
  const std::size_t count = task_.training.count;
  all_times_ = arena.take<double>(count * slots_);
  all_lengths_ = arena.take<SeriesLength>(count);
  lengths_ = arena.take<SeriesLength>(rows_);
  observations_ = arena.take<float>(entries() * size(width_));
  cotangents_ = arena.take<float>(entries() * size(shape_.state()));
  std::visit([&](auto& states) { states.place(arena, rows_, slots_); }, states_);
  context_.place(arena, static_cast<int>(entries()));
  context_.place_cotangents(arena, static_cast<int>(entries()));
  if (!initial_) return;
  initial_->place(arena, static_cast<int>(rows_));
  initial_->place_cotangents(arena, static_cast<int>(rows_));
}

void DeviceSequenceEncoder::place_sums(Arena& arena) {
  std::visit([&](auto& states) { states.place_sums(arena, rows_, slots_); }, states_);
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
  const ObservedBlock observed = block(picked);
  const auto* attention = std::get_if<DeviceAttention>(&states_);
  nets.launch_for(
      kernels.observe, observed.entries() * size(width_),
      ObserveArguments{picked, values, inputs, all_times_, all_lengths_, lengths_, observations_,
                       shape_.shift, shape_.scale, attention ? attention->horizon() : 0.0,
                       static_cast<unsigned>(slots_), static_cast<unsigned>(shape_.observed),
                       static_cast<unsigned>(shape_.inputs), static_cast<unsigned>(width_)});
  std::visit(
      [&](const auto& states) {
        states.forward(nets, kernels, observed);
        nets.forward(context_, states.states(), shape_.state(), observed.entries());
        if (initial_) nets.forward(*initial_, states.states(), first_stride(), observed.rows());
      },
      states_);
}

void DeviceSequenceEncoder::backward(const NetCalls& nets, const TrainingKernels& kernels,
                                     const PickedRows& picked) const {
  const ObservedBlock observed = block(picked);
  std::visit(
      [&](const auto& states) {
        nets.backward(context_, states.states(), shape_.state(), observed.entries(), cotangents_);
        if (initial_) {
          nets.backward(*initial_, states.states(), first_stride(), observed.rows(), cotangents_,
                        true);
        }
        states.backward(nets, kernels, observed, cotangents_);
      },
      states_);
}

}  // namespace ito::cuda
