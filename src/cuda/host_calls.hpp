#pragma once

#include <algorithm>

#include "cuda/host_staging.hpp"
#include "engine/call.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

inline constexpr std::uint64_t tile_paths = 16;  ///< that share a row of context

/// An engine of a device whose calls on host arrays are its calls on a stream, between copies, in a
/// workspace of its own.
template <class Real>
class HostCalls : public Engine<Real> {
 public:
  bool has_own_workspace() const override { return true; }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte>, Keep keep) override {
    CallArrays<Real> host{parameters.first(shape_.parameters), request, outputs, {}, {}};
    workspace_.reserve(this->workspace_bytes(request.paths, observation_count(request), keep));
    const CallArrays<Real> device = staging_.upload(host);
    this->simulate_on({}, device.parameters, device.request, device.outputs, workspace_.bytes(),
                      keep);
    staging_.download();
  }

  void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               std::span<std::byte>, AdjointOptions options) override {
    CallArrays<Real> host{parameters.first(shape_.parameters), request, {}, cotangents, gradient};
    const CallArrays<Real> device = staging_.upload(host);
    this->adjoint_on({}, device.parameters, device.request, device.cotangents, device.gradient,
                     workspace_.bytes(), options);
    staging_.download();
  }

 protected:
  HostCalls(const ModelShape& shape, std::shared_ptr<Gpu> gpu)
      : shape_(shape), gpu_(std::move(gpu)), workspace_(gpu_), staging_(gpu_) {}

  std::size_t state() const { return static_cast<std::size_t>(shape_.state); }
  int intervals() const { return std::max(1, shape_.intervals()); }
  std::uint64_t observation_count(const BasicRequest<Real>& request) const {
    const Partition tiles(request.first_path, request.paths, tile_paths, 1);
    return ObservationMap(shape_, request, tile_paths, tiles).rows;
  }

  ModelShape shape_;
  std::shared_ptr<Gpu> gpu_;

 private:
  GpuBuffer workspace_;
  HostStaging<Real> staging_;
};

}  // namespace ito::cuda
