#include "cuda/fused/same_sums.hpp"

#include "cuda/buffer.hpp"
#include "cuda/launches.hpp"
#include "kernels/device/arguments.cuh"

namespace ito::cuda {
namespace {

constexpr int threads = 128, shared_bytes = 8 * 256;

}  // namespace

KernelSource same_sums_source() {
  return KernelText({"fused/same_sums.cuh"})
      .kernel("ito_compare_sums", "SameSumsArguments", "compare_sums", threads)
      .named("same_sums");
}

bool adds_up_alike(const std::shared_ptr<Gpu>& gpu) {
  GpuBuffer memory(gpu);
  unsigned differ = 0;
  memory.reserve(sizeof differ);
  gpu->clear(memory.data(), sizeof differ, nullptr);
  const auto module = gpu->compile(same_sums_source());
  launch(*gpu, module->kernel("ito_compare_sums"), 8, threads, shared_bytes,
         SameSumsArguments{reinterpret_cast<unsigned*>(memory.data())}, {});
  gpu->copy(&differ, memory.data(), sizeof differ, nullptr);
  gpu->synchronize(nullptr);
  return differ == 0;
}

}  // namespace ito::cuda
