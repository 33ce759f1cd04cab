#include "gpu_workload.hpp"

#include <numeric>

namespace bench {
namespace {

// λ = (2/N) x, which a loss on the device would hand the adjoint.
struct ScaleArguments {
  const float* from;
  float* to;
  float factor;
  unsigned count;
};
const ito::cuda::KernelSource scale_source{"scale", R"(
#include "kernels/device/device.cuh"
struct ScaleArguments { const float* from; float* to; float factor; unsigned count; };
ITO_KERNEL(scale, ScaleArguments, 256) {
  const unsigned i = ito::cuda::block_index() * 256 + ito::cuda::thread_index();
  if (i < arguments.count) arguments.to[i] = arguments.factor * arguments.from[i];
}
)"};

std::size_t bytes_of(std::span<float> values) { return values.size_bytes(); }

}  // namespace

GpuRun::GpuRun(const Workload& workload, ito::Precision precision, ito::CudaKernels kernels,
               std::shared_ptr<ito::cuda::Gpu> gpu)
    : workload_(workload),
      gpu_(std::move(gpu)),
      plan_(model_of(workload), ito::Device::cuda(),
            {.workspace_limit =
                 gpu_->properties().memory / 8,  // states of every step, not checkpoints
             .precision = precision,
             .cuda_kernels = kernels}),
      module_(gpu_->compile(scale_source)),
      state_cotangents_of_(module_->kernel("scale")),
      request_{.paths = workload.paths, .seed = 7} {
  const ito::Parameters values = parameters_of(plan_.model());
  parameters_ = floats(values.values().size());
  gpu_->copy(parameters_.data(), values.values().data(), bytes_of(parameters_), nullptr);
  states_ = floats(workload.paths * static_cast<std::size_t>(workload.state));
  energy_ = floats(workload.paths);
  martingale_ = floats(workload.paths);
  state_cotangents_ = floats(states_.size());
  energy_cotangents_ = floats(energy_.size());
  const std::vector<float> share(energy_.size(), 1.0F / static_cast<float>(workload.paths));
  gpu_->copy(energy_cotangents_.data(), share.data(), bytes_of(energy_cotangents_), nullptr);
  gradient_ = floats(plan_.parameter_count());
  const std::size_t needed = plan_.workspace_bytes(workload.paths);
  memory_.push_back(std::make_unique<ito::cuda::GpuBuffer>(gpu_));
  workspace_ = {memory_.back()->reserve(needed), needed};
  wait();
}

std::span<float> GpuRun::floats(std::size_t count) {
  memory_.push_back(std::make_unique<ito::cuda::GpuBuffer>(gpu_));
  return {reinterpret_cast<float*>(memory_.back()->reserve(count * sizeof(float))), count};
}

ito::Outputs GpuRun::outputs() const {
  return {.states = states_, .energy = energy_, .martingale = martingale_};
}

void GpuRun::simulate() {
  plan_.simulate(ito::Stream{}, parameters_, request_, outputs(), workspace_);
}

void GpuRun::simulate_and_differentiate() {
  const ito::Recording recording =
      plan_.record(ito::Stream{}, parameters_, request_, outputs(), workspace_);
  const auto count = static_cast<unsigned>(states_.size());
  const ScaleArguments scale{states_.data(), state_cotangents_.data(),
                             2.0F / static_cast<float>(workload_.paths), count};
  gpu_->launch(state_cotangents_of_, {(count + 255) / 256, 256, 0}, &scale, sizeof(scale), nullptr);
  plan_.adjoint(ito::Stream{}, parameters_, recording,
                {.states = state_cotangents_, .energy = energy_cotangents_},
                {.parameters = gradient_});
}

void GpuRun::wait() { gpu_->synchronize(nullptr); }

double GpuRun::loss() {
  std::vector<float> states(states_.size()), energy(energy_.size());
  gpu_->copy(states.data(), states_.data(), bytes_of(states_), nullptr);
  gpu_->copy(energy.data(), energy_.data(), bytes_of(energy_), nullptr);
  wait();
  const double squares = std::transform_reduce(states.begin(), states.end(), 0.0, std::plus<>(),
                                               [](float x) { return static_cast<double>(x) * x; });
  return (squares + std::accumulate(energy.begin(), energy.end(), 0.0)) /
         static_cast<double>(workload_.paths);
}

std::size_t GpuRun::device_bytes() const {
  std::size_t sum = 0;
  for (const auto& buffer : memory_) sum += buffer->bytes().size();
  return sum;
}

}  // namespace bench
