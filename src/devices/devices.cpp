// The one place that knows every engine, of paths and of training.
#include <ito/device.hpp>
#include <ito/error.hpp>

#include <charconv>
#include <string>
#include <type_traits>

#include "cpu/engine.hpp"
#include "cuda/engine.hpp"
#include "cuda/gpu.hpp"
#include "cuda_training/cuda_training.hpp"
#include "engine/engine.hpp"
#include "inference/training_engine.hpp"
#include "model/check.hpp"
#include "reference/engine.hpp"

namespace ito {

Device Device::cuda(int ordinal) {
  if (ordinal < 0) throw Error("device", std::to_string(ordinal), "a number of 0 or more");
  return Device(Kind::cuda, ordinal);
}

Device Device::best() {
  Device device = cpu();
  for (int ordinal = 0; ordinal < cuda::gpu_count() && device == cpu(); ++ordinal) {
    try {
      cuda::open_gpu(ordinal);
      device = cuda(ordinal);
    } catch (const Error&) {
      // Too old for the engine, or there is no NVRTC.
    }
  }
  device.automatic_ = true;
  return device;
}

Device Device::parse(std::string_view text) {
  if (text == "auto") return best();
  if (text == "cpu") return cpu();
  if (text == "reference") return reference();
  if (text == "cuda") return cuda();
  constexpr std::string_view numbered = "cuda:";
  if (text.starts_with(numbered)) {
    int ordinal = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + numbered.size(), end, ordinal);
    if (error == std::errc{} && stop == end && ordinal >= 0) return cuda(ordinal);
  }
  throw Error("device", std::string(text), "auto, cpu, cuda, cuda:NUMBER, reference");
}

std::string Device::name() const {
  switch (kind_) {
    case Kind::cpu:
      return "cpu";
    case Kind::cuda:
      return ordinal_ == 0 ? "cuda" : "cuda:" + std::to_string(ordinal_);
    case Kind::reference:
      break;
  }
  return "reference";
}

template <class Real>
Device serving_device(Device device) {
  const bool single = device.automatic() && device.kind() == Device::Kind::cpu;
  return single && std::is_same_v<Real, double> ? Device::reference() : device;
}

template Device serving_device<float>(Device);
template Device serving_device<double>(Device);

template <class Real>
std::unique_ptr<Engine<Real>> make_engine(const ModelShape& shape, Execution execution,
                                          const PlanOptions& options) {
  const auto [device, threads] = execution;
  if (device.kind() != Device::Kind::cuda && options.cuda_kernels != CudaKernels::automatic) {
    throw Error("cuda_kernels",
                std::string(name(options.cuda_kernels)) + " on device " + device.name(),
                "auto, or device cuda");
  }
  if (device == Device::reference()) return reference::make_engine<Real>(shape, options, threads);
  if (device.kind() == Device::Kind::cuda) {
    return cuda::make_cuda_engine<Real>(shape, options, cuda::open_gpu(device.ordinal()));
  }
  if constexpr (std::is_same_v<Real, float>) {
    return cpu::make_engine(shape, options, threads);
  } else {
    throw Error("device", device.name(), "reference or cuda, which compute in double precision");
  }
}

template std::unique_ptr<Engine<float>> make_engine(const ModelShape&, Execution,
                                                    const PlanOptions&);
template std::unique_ptr<Engine<double>> make_engine(const ModelShape&, Execution,
                                                     const PlanOptions&);

Execution on_host(Execution execution) {
  const Device device = execution.device;
  if (device.kind() != Device::Kind::cuda) return execution;
  if (device.automatic()) return {Device::cpu(), execution.threads};
  throw Error("device", device.name(), "auto, cpu or reference: this runs on the CPU");
}

template <class Real>
std::unique_ptr<BasicNetwork<Real>> make_network(const NetShape& shape, Execution execution) {
  check_threads(execution.threads);
  if constexpr (std::is_same_v<Real, float>) {
    if (execution.device != Device::reference()) return cpu::make_network(shape, execution.threads);
  }
  return reference::make_network<Real>(shape);
}

template std::unique_ptr<BasicNetwork<float>> make_network(const NetShape&, Execution);
template std::unique_ptr<BasicNetwork<double>> make_network(const NetShape&, Execution);

std::unique_ptr<Network> make_network(const Mlp& net, int inputs, int outputs,
                                      Execution execution) {
  std::vector<Tensor> tensors;
  return make_network(append_net(tensors, "net", net, inputs, 0, 0, outputs), on_host(execution));
}

std::unique_ptr<TrainingEngine> make_training_engine(const TrainingTask& task,
                                                     TrainingState& state) {
  const Device device = task.options.execution.device;
  if (device.kind() == Device::Kind::cuda)
    return cuda::make_cuda_training(task, state, device.ordinal());
  return make_host_training(task, state);
}

}  // namespace ito
