#pragma once

#include <memory>
#include <span>

#include <ito/device.hpp>
#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// A net applied to rows, outside the time loop: encoders, decoders, drifts. Holds its scratch
/// memory, so one Network serves one caller at a time.
template <class Real>
class BasicNetwork {
 public:
  virtual ~BasicNetwork() = default;

  /// outputs [n, out] = net(inputs [n, in]).
  virtual void forward(std::span<const Real> parameters, std::span<const Real> inputs,
                       std::span<Real> outputs) = 0;
  /// Adds to `parameter_gradient` (laid out as `parameters`, only the net's own part is touched)
  /// and overwrites `input_cotangents` [n, in] unless empty.
  virtual void backward(std::span<const Real> parameters, std::span<const Real> inputs,
                        std::span<const Real> output_cotangents, std::span<Real> parameter_gradient,
                        std::span<Real> input_cotangents) = 0;
};
using Network = BasicNetwork<float>;

/// `execution` of work that no CUDA device does: on the CPU where its device is automatic. Throws
/// ito::Error where the caller asks for a CUDA device.
Execution on_host(Execution execution);

/// A net R^inputs → R^outputs (its `time` says nothing here: a time is one more input) on the CPU
/// or the reference. `parameters` begin with the net's weights and biases, layer by layer. Throws
/// ito::Error when asked for a CUDA device.
std::unique_ptr<Network> make_network(const Mlp& net, int inputs, int outputs,
                                      Execution execution = {});

}  // namespace ito
#pragma GCC visibility pop
