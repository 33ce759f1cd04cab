#pragma once

#include <memory>

#include <ito/error.hpp>
#include <ito/network.hpp>
#include <ito/plan.hpp>

#include "engine/workspace.hpp"
#include "model/shape.hpp"

namespace ito {

/// What an engine offers a Plan. Requests arrive checked; spans have the right sizes; nothing is
/// allocated. `keep` of a run is nothing, or most: what the workspace has room for. An adjoint
/// follows such a run of its request in its workspace, and leaves there what another needs.
template <class Real>
class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations,
                                      Keep keep) const = 0;
  /// Those of one request.
  virtual std::size_t request_bytes(const BasicRequest<Real>& request, std::uint64_t observations,
                                    Keep keep) const {
    return workspace_bytes(request.paths, observations, keep);
  }
  virtual void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                        const BasicOutputs<Real>& outputs, std::span<std::byte> workspace,
                        Keep keep) = 0;
  virtual void adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
                       const BasicCotangents<Real>& cotangents,
                       const BasicGradientOutputs<Real>& gradient, std::span<std::byte> workspace,
                       AdjointOptions options) = 0;

  /// `outputs` are tangents, with a leading axis of directions. May allocate; its workspace is one
  /// that keeps no states.
  virtual void tangents(std::span<const Real> parameters, const BasicRequest<Real>& request,
                        const BasicDirections<Real>& directions, const BasicOutputs<Real>& outputs,
                        std::span<std::byte> workspace) = 0;

  /// Whether the calls above run in memory of the engine's own, and take no workspace.
  virtual bool has_own_workspace() const { return false; }

  virtual CudaKernels kernels() const { return CudaKernels::automatic; }

  // The same with every span in the memory of the device, put on a stream.
  virtual void simulate_on(Stream, std::span<const Real>, const BasicRequest<Real>&,
                           const BasicOutputs<Real>&, std::span<std::byte>, Keep) {
    refuse_stream();
  }
  virtual void adjoint_on(Stream, std::span<const Real>, const BasicRequest<Real>&,
                          const BasicCotangents<Real>&, const BasicGradientOutputs<Real>&,
                          std::span<std::byte>, AdjointOptions) {
    refuse_stream();
  }

 private:
  [[noreturn]] static void refuse_stream() {
    throw Error("stream", "a call on a stream",
                "a plan on a CUDA device; leave the stream out here");
  }
};

/// `device`, or where it is automatic and does not compute in Real, the next best that does.
template <class Real>
Device serving_device(Device device);

/// The engine of a device; options' precision is checked. Throws ito::Error when `Real` is double
/// on the CPU.
template <class Real>
std::unique_ptr<Engine<Real>> make_engine(const ModelShape& shape, Execution execution,
                                          const PlanOptions& options);
/// The networks of a CUDA device stay on the CPU. Those in double are the reference's, on any
/// device.
template <class Real = float>
std::unique_ptr<BasicNetwork<Real>> make_network(const NetShape& shape, Execution execution);

}  // namespace ito
