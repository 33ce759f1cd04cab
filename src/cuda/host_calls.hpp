#pragma once

#include <algorithm>
#include <optional>

#include "cuda/host_staging.hpp"
#include "engine/call.hpp"
#include "engine/engine.hpp"

namespace ito {

inline constexpr std::uint64_t tile_paths = 16;  ///< that share a row of context

/// An engine of a device whose calls on host arrays are its calls on a stream, between copies. The
/// workspace of such calls is its own.
template <class Real>
class HostCalls : public Engine<Real> {
 public:
  std::size_t host_workspace_bytes(std::uint64_t, std::uint64_t, Keep) const override { return 0; }

  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte>, bool record) override {
    CallArrays<Real> host{parameters.first(shape_.parameters), request, outputs, {}, {}};
    const CallArrays<Real> device = open(host, record);
    this->simulate_on({}, device.parameters, device.request, device.outputs, workspace_.bytes(),
                      record);
    staging_.download(host, device);
    if (record) recorded_ = request;
  }

  void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               std::span<std::byte>, AdjointOptions options, bool recorded) override {
    const bool reuse = recorded && recorded_ && same_paths(*recorded_, request);
    CallArrays<Real> host{parameters.first(shape_.parameters), request, {}, cotangents, gradient};
    const CallArrays<Real> device = open(host, true);
    this->adjoint_on({}, device.parameters, device.request, device.cotangents, device.gradient,
                     workspace_.bytes(), options, reuse);
    staging_.download(host, device);
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
  /// Device copies of a host call's arrays, and a workspace. What a recording left in the workspace
  /// is forgotten unless the caller keeps it.
  CallArrays<Real> open(const CallArrays<Real>& host, bool record) {
    recorded_.reset();
    workspace_.reserve(this->workspace_bytes(host.request.paths, observation_count(host.request),
                                             record ? Keep::most : Keep::nothing));
    return staging_.upload(host);
  }

  /// Whether two requests are one, as far as that can be seen: the caller of a recorded adjoint
  /// promises the rest.
  static bool same_paths(const BasicRequest<Real>& a, const BasicRequest<Real>& b) {
    return a.paths == b.paths && a.seed == b.seed && a.first_path == b.first_path &&
           a.paths_per_observation == b.paths_per_observation && a.refinement == b.refinement &&
           a.x0.data() == b.x0.data() && a.context.data() == b.context.data();
  }

  GpuBuffer workspace_;
  HostStaging<Real> staging_;
  std::optional<BasicRequest<Real>> recorded_;  ///< of the last call, where it recorded
};

}  // namespace ito
