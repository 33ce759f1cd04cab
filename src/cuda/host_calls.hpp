#pragma once

#include "cuda/arguments.hpp"
#include "cuda/host_staging.hpp"
#include "cuda/per_path/tangents.hpp"
#include "engine/call.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// An engine of a device whose calls on host arrays are its calls on a stream, between copies, in a
/// workspace of its own. Tangents have kernels of their own, made when they are first asked for.
template <class Real>
class HostCalls : public Engine<Real> {
 public:
  bool has_own_workspace() const override { return true; }
  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations,
                              Keep keep) const override {
    return bytes_of_tiles(TileCut::most(paths, observations), observations, keep);
  }
  std::size_t request_bytes(const BasicRequest<Real>& request, std::uint64_t observations,
                            Keep keep) const override {
    return bytes_of_tiles(tile_cut(request).most_tiles, observations, keep);
  }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte>, Keep keep) override {
    CallArrays<Real> host{parameters.first(shape_.parameters), request, outputs, {}, {}};
    workspace_.reserve(request_bytes(request, observation_count(shape_, request), keep));
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

  void tangents(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs,
                std::span<std::byte>) override {
    if (!tangents_) tangents_ = make_device_tangents<Real>(shape_, tangent_kernels(), limit_, gpu_);
    tangents_->run(parameters, request, directions, outputs);
  }

 protected:
  /// `limit`: PlanOptions::workspace_limit.
  HostCalls(const ModelShape& shape, Precision precision, std::size_t limit,
            std::shared_ptr<Gpu> gpu)
      : shape_(shape),
        gpu_(std::move(gpu)),
        precision_(precision),
        limit_(limit),
        workspace_(gpu_),
        staging_(gpu_) {}

  TileCut tile_cut(const BasicRequest<Real>& request) const {
    return {request.first_path, request.paths, observation_count(shape_, request),
            request.paths_per_observation};
  }
  /// Of a workspace for so many tiles and rows of context.
  virtual std::size_t bytes_of_tiles(std::uint64_t tiles, std::uint64_t observations,
                                     Keep keep) const = 0;
  virtual std::unique_ptr<TangentKernels<Real>> tangent_kernels() const {
    return make_per_path_tangents<Real>(shape_, precision_, gpu_);
  }

  ModelShape shape_;
  std::shared_ptr<Gpu> gpu_;

 private:
  Precision precision_;
  std::size_t limit_;
  GpuBuffer workspace_;
  HostStaging<Real> staging_;
  std::unique_ptr<DeviceTangents<Real>> tangents_;
};

}  // namespace ito::cuda
