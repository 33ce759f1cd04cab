#include "cuda_training/device_attention.hpp"

#include <cmath>

namespace ito::cuda {

DeviceAttention::DeviceAttention(const AttentionShape& shape, int features)
    : shape_(&shape), features_(features), observation_(shape.observation), query_(shape.query) {}

void DeviceAttention::place(Arena& arena, std::size_t rows, std::size_t slots) {
  const std::size_t entries = rows * slots;
  for (DeviceNet<float>* net : {&observation_, &query_}) {
    net->place(arena, static_cast<int>(entries));
    net->place_cotangents(arena, static_cast<int>(entries));
  }
  states_ = arena.take<float>(entries * size(query_.outputs()));
  sums_ = arena.take<AttentionSums>(entries * size(shape_->heads));
}

void DeviceAttention::place_sums(Arena& arena, std::size_t rows, std::size_t slots) {
  for (DeviceNet<float>* net : {&observation_, &query_})
    net->place_sums(arena, static_cast<int>(rows * slots));
}

AttentionArguments DeviceAttention::arguments(const ObservedBlock& block) const {
  const int numbers = query_.outputs() / shape_->heads, features = shape_->query.inputs();
  return {block.picked,
          block.lengths,
          block.times,
          observation_.outputs_array(),
          query_.outputs_array(),
          states_,
          sums_,
          shape_->horizon,
          static_cast<float>(1 / std::sqrt(static_cast<double>(numbers))),
          static_cast<unsigned>(block.slots),
          static_cast<unsigned>(shape_->heads),
          static_cast<unsigned>(numbers - features),
          static_cast<unsigned>(features)};
}

void DeviceAttention::forward(const NetCalls& nets, const TrainingKernels& kernels,
                              const ObservedBlock& block) const {
  nets.forward(observation_, block.numbers, block.width, block.entries());
  nets.forward(query_, block.numbers + features_, block.width, block.entries());
  nets.launch_for(kernels.attend, threads(block), arguments(block));
}

void DeviceAttention::backward(const NetCalls& nets, const TrainingKernels& kernels,
                               const ObservedBlock& block, const float* cotangents) const {
  const AttentionBackArguments back{arguments(block), cotangents, query_.cotangents_array(),
                                    observation_.cotangents_array()};
  nets.launch_for(kernels.attend_back_to_queries, threads(block), back);
  nets.launch_for(kernels.attend_back_to_keys, threads(block), back);
  nets.backward(observation_, block.numbers, block.width, block.entries(), nullptr);
  nets.backward(query_, block.numbers + features_, block.width, block.entries(), nullptr);
}

}  // namespace ito::cuda
