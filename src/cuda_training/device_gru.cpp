#include "cuda_training/device_gru.hpp"

namespace ito::cuda {

DeviceGru::DeviceGru(const GruShape& shape, int gap)
    : shape_(&shape), gap_(gap), input_(shape.input), state_(shape.state) {
  if (shape.decay) decay_.emplace(*shape.decay);
}

void DeviceGru::place(Arena& arena, std::size_t rows, std::size_t slots) {
  const std::size_t entries = rows * slots;
  input_.place_cotangents(arena, static_cast<int>(entries));
  state_.place_cotangents(arena, static_cast<int>(entries));
  if (decay_) {
    decay_->place(arena, static_cast<int>(entries));
    decay_->place_cotangents(arena, static_cast<int>(entries));
  }
  previous_ = arena.take<float>(entries * size(hidden()));
  states_ = arena.take<float>(entries * size(hidden()));
  carried_ = arena.take<float>(rows * size(hidden()));
}

void DeviceGru::place_sums(Arena& arena, std::size_t rows, std::size_t slots) {
  const auto entries = static_cast<int>(rows * slots);
  input_.place_sums(arena, entries);
  state_.place_sums(arena, entries);
  if (decay_) decay_->place_sums(arena, entries);
}

DeviceGru::Factor DeviceGru::weights(const NetShape& map, const float* parameters) const {
  return {parameters + map.layers.front().weight, map.inputs()};
}

void DeviceGru::forward(const NetCalls& nets, const TrainingKernels& kernels,
                        const ObservedBlock& block) const {
  const auto transposed = [&](const NetShape& map) {
    Factor factor = weights(map, nets.parameters);
    factor.transposed = true;
    return factor;
  };
  const std::size_t entries = block.entries();
  const int stride = static_cast<int>(block.slots);  // of a slot's rows, in rows of numbers
  nets.multiply(entries, gates(), block.width, {block.numbers, block.width},
                transposed(shape_->input), 0, input_.cotangents_array(), gates());
  if (decay_) nets.forward(*decay_, block.numbers + gap_, block.width, entries);
  for (std::size_t slot = block.slots; slot-- > 0;) {
    if (slot + 1 < block.slots) {
      nets.multiply(block.rows(), gates(), hidden(),
                    {in_slot(previous_, slot, hidden()), stride * hidden()},
                    transposed(shape_->state), 0, in_slot(state_.cotangents_array(), slot, gates()),
                    stride * gates());
    }
    nets.launch_for(
        kernels.gru_step, block.rows() * size(hidden()),
        GruStepArguments{block.lengths, nets.parameters + shape_->input.layers.front().bias,
                         nets.parameters + shape_->state.layers.front().bias,
                         input_.cotangents_array(), state_.cotangents_array(), previous_, states_,
                         decay_ ? decay_->outputs_array() : nullptr,
                         static_cast<unsigned>(block.rows()), static_cast<unsigned>(block.slots),
                         static_cast<unsigned>(hidden()), static_cast<unsigned>(slot)});
  }
}

void DeviceGru::backward(const NetCalls& nets, const TrainingKernels& kernels,
                         const ObservedBlock& block, const float* cotangents) const {
  const std::size_t entries = block.entries();
  const int stride = static_cast<int>(block.slots);
  for (std::size_t slot = 0; slot < block.slots; ++slot) {
    nets.launch_for(
        kernels.gru_step_back, block.rows() * size(hidden()),
        GruStepBackArguments{
            block.lengths, cotangents, previous_, input_.cotangents_array(),
            state_.cotangents_array(), carried_, decay_ ? decay_->outputs_array() : nullptr,
            decay_ ? decay_->cotangents_array() : nullptr, static_cast<unsigned>(block.rows()),
            static_cast<unsigned>(block.slots), static_cast<unsigned>(hidden()),
            static_cast<unsigned>(slot)});
    if (slot + 1 == block.slots) break;
    nets.multiply(block.rows(), hidden(), gates(),
                  {in_slot(state_.cotangents_array(), slot, gates()), stride * gates()},
                  weights(shape_->state, nets.parameters), 1, carried_, hidden());
  }
  nets.backward(input_, block.numbers, block.width, entries, nullptr);
  nets.backward(state_, previous_, hidden(), entries, nullptr);
  if (decay_) nets.backward(*decay_, block.numbers + gap_, block.width, entries, nullptr);
}

}  // namespace ito::cuda
