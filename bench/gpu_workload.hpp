#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cuda/buffer.hpp"
#include "workload.hpp"

namespace bench {

/// A workload on the CUDA engine, every array in the device's memory. Calls put work on the default
/// stream and return; `wait` waits for it. The loss is mean |x_T|² + mean path KL.
class GpuRun {
 public:
  GpuRun(const Workload& workload, ito::Precision precision, ito::CudaKernels kernels,
         std::shared_ptr<ito::cuda::Gpu> gpu);

  void simulate();
  void simulate_and_differentiate();
  void wait();

  double loss();
  bool layered() const { return plan_.cuda_kernels() == ito::CudaKernels::layered; }
  std::size_t device_bytes() const;

 private:
  ito::Outputs outputs() const;
  std::span<float> floats(std::size_t count);

  Workload workload_;
  std::shared_ptr<ito::cuda::Gpu> gpu_;
  ito::Plan plan_;
  std::vector<std::unique_ptr<ito::cuda::GpuBuffer>> memory_;
  std::shared_ptr<const ito::cuda::GpuModule> module_;
  ito::cuda::GpuKernel state_cotangents_of_;
  ito::Request request_;
  std::span<float> parameters_, states_, energy_, martingale_;
  std::span<float> state_cotangents_, energy_cotangents_, gradient_;
  std::span<std::byte> workspace_;
};

}  // namespace bench
