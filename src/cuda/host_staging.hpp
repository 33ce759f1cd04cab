#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <ito/plan.hpp>

#include "cuda/buffer.hpp"
#include "engine/workspace.hpp"

namespace ito::cuda {

/// Every array of one call; all on the host, or all on the device.
template <class Real>
struct CallArrays {
  std::span<const Real> parameters;
  BasicRequest<Real> request;
  BasicOutputs<Real> outputs;
  BasicCotangents<Real> cotangents;
  BasicGradientOutputs<Real> gradient;

  /// input(span) for every array that a call reads, output(span) for every one that it writes.
  template <class Input, class Output>
  void for_each(Input input, Output output) {
    for (auto* in :
         {&parameters, &request.x0, &request.context, &cotangents.states, &cotangents.energy,
          &cotangents.martingale, &cotangents.interval_energy, &cotangents.interval_martingale})
      input(*in);
    input(request.grid);
    input(request.save);
    for (auto* out :
         {&outputs.states, &outputs.energy, &outputs.martingale, &outputs.interval_energy,
          &outputs.interval_martingale, &gradient.parameters, &gradient.x0, &gradient.context})
      output(*out);
    output(outputs.status);
  }
};

/// Device memory through which the arrays of host calls pass. It grows at the first call of a size.
template <class Real>
class HostStaging {
 public:
  explicit HostStaging(std::shared_ptr<Gpu> gpu) : gpu_(gpu), memory_(std::move(gpu)) {}

  /// Device arrays of the same sizes; inputs are copied.
  CallArrays<Real> upload(const CallArrays<Real>& host) {
    Arena count(nullptr);
    lay_out(count, host);
    memory_.reserve(count.bytes());
    Arena arena(Arena::align(memory_.bytes()));
    return lay_out(arena, host);
  }

  /// Copies the results of the last upload's call back and waits for them.
  void download() {
    for (std::size_t i = 0; i < result_count_; ++i)
      gpu_->copy(results_[i].host, results_[i].device, results_[i].bytes, nullptr);
    gpu_->synchronize(nullptr);
  }

 private:
  struct Result {
    void* host;
    const void* device;
    std::size_t bytes;
  };

  /// Over an arena of no memory it only counts.
  CallArrays<Real> lay_out(Arena& arena, CallArrays<Real> arrays) {
    result_count_ = 0;
    arrays.for_each(
        [&]<class T>(std::span<const T>& array) {
          if (array.empty()) return;
          T* device = arena.take<T>(array.size());
          if (device) gpu_->copy(device, array.data(), array.size_bytes(), nullptr);
          array = {device, device ? array.size() : 0};
        },
        [&]<class T>(std::span<T>& array) {
          if (array.empty()) return;
          T* device = arena.take<T>(array.size());
          results_[result_count_++] = {array.data(), device, array.size_bytes()};
          array = {device, device ? array.size() : 0};
        });
    return arrays;
  }

  std::shared_ptr<Gpu> gpu_;
  GpuBuffer memory_;
  std::array<Result, 9> results_{};
  std::size_t result_count_ = 0;
};

}  // namespace ito::cuda
