#pragma once

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
};

/// Device memory through which the arrays of host calls pass. It grows at the first call of a size.
template <class Real>
class HostStaging {
 public:
  explicit HostStaging(std::shared_ptr<Gpu> gpu) : gpu_(gpu), memory_(std::move(gpu)) {}

  /// Device arrays of the same sizes; inputs are copied.
  CallArrays<Real> upload(const CallArrays<Real>& host) {
    Arena count(nullptr);
    lay_out(count, host, false);
    memory_.reserve(count.bytes());
    Arena arena(Arena::align(memory_.bytes()));
    return lay_out(arena, host, true);
  }

  /// Copies results back and waits for them.
  void download(const CallArrays<Real>& host, const CallArrays<Real>& device) {
    const auto get = [&](const auto& to, const auto& from) {
      if (!to.empty()) gpu_->copy(to.data(), from.data(), to.size_bytes(), nullptr);
    };
    get(host.outputs.states, device.outputs.states);
    get(host.outputs.energy, device.outputs.energy);
    get(host.outputs.martingale, device.outputs.martingale);
    get(host.outputs.interval_energy, device.outputs.interval_energy);
    get(host.outputs.interval_martingale, device.outputs.interval_martingale);
    get(host.outputs.status, device.outputs.status);
    get(host.gradient.parameters, device.gradient.parameters);
    get(host.gradient.x0, device.gradient.x0);
    get(host.gradient.context, device.gradient.context);
    gpu_->synchronize(nullptr);
  }

 private:
  CallArrays<Real> lay_out(Arena& arena, const CallArrays<Real>& host, bool copy) {
    const auto output = [&]<class T>(std::span<T> from) {
      T* to = from.empty() ? nullptr : arena.template take<T>(from.size());
      return std::span<T>(to, to ? from.size() : 0);
    };
    const auto input = [&](std::span<const Real> from) {
      const auto to = output(std::span<Real>(const_cast<Real*>(from.data()), from.size()));
      if (copy && !from.empty()) gpu_->copy(to.data(), from.data(), from.size_bytes(), nullptr);
      return std::span<const Real>(to);
    };
    CallArrays<Real> device = host;
    device.parameters = input(host.parameters);
    device.request.x0 = input(host.request.x0);
    device.request.context = input(host.request.context);
    device.outputs = {output(host.outputs.states),
                      output(host.outputs.energy),
                      output(host.outputs.martingale),
                      output(host.outputs.interval_energy),
                      output(host.outputs.interval_martingale),
                      output(host.outputs.status)};
    device.cotangents = {input(host.cotangents.states), input(host.cotangents.energy),
                         input(host.cotangents.martingale), input(host.cotangents.interval_energy),
                         input(host.cotangents.interval_martingale)};
    device.gradient = {output(host.gradient.parameters), output(host.gradient.x0),
                       output(host.gradient.context)};
    return device;
  }

  std::shared_ptr<Gpu> gpu_;
  GpuBuffer memory_;
};

}  // namespace ito::cuda
