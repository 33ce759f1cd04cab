// The real device: kernels compiled by NVRTC, everything else by the CUDA runtime.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <memory>
#include <mutex>

#include <ito/error.hpp>

#include "cuda/kernel_compiler.hpp"
#include "cuda/made_once.hpp"
#include "cuda/runtime.hpp"
#include "cuda/toolkit/check.hpp"
#include "cuda/toolkit/cublas.hpp"
#include "cuda/toolkit/graph.hpp"
#include "cuda/toolkit/module.hpp"

namespace ito::cuda {
namespace {

constexpr int least_compute_capability = 80;

GpuProperties properties_of(int ordinal) {
  cudaDeviceProp device{};
  if (const auto code = cudaGetDeviceProperties(&device, ordinal); code != cudaSuccess)
    fail(code, fmt::format("cudaGetDeviceProperties({})", ordinal));
  int kilohertz = 0;
  check(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, ordinal),
        "cudaDeviceGetAttribute");
  GpuProperties properties{device.name,
                           device.major * 10 + device.minor,
                           device.multiProcessorCount,
                           device.sharedMemPerBlockOptin,
                           device.totalGlobalMem,
                           static_cast<std::size_t>(device.l2CacheSize),
                           1e3 * kilohertz};
  if (properties.compute_capability < least_compute_capability) {
    throw Error(fmt::format("{} is sm_{}; the CUDA engine needs sm_{} or newer", properties.name,
                            properties.compute_capability, least_compute_capability));
  }
  return properties;
}

class CudaGpu final : public Gpu {
 public:
  explicit CudaGpu(int ordinal)
      : ordinal_(ordinal),
        properties_(properties_of(ordinal)),
        compiler_(
            cubin_architecture(properties_.compute_capability, Nvrtc::instance().architectures()),
            CubinCache(CubinCache::default_folder())) {}

  const GpuProperties& properties() const override { return properties_; }

  std::shared_ptr<const GpuModule> compile(const KernelSource& source) override {
    return modules_.get(source.text, [&] {
      const std::string cubin = compiler_.compile(source);
      const CurrentDevice current(ordinal_);
      const RelaxedCapture relaxed;
      return std::make_shared<const CudaModule>(source.name, cubin, ordinal_,
                                                properties_.shared_memory_per_block);
    });
  }

  void* allocate(std::size_t bytes) override {
    CudaGraph::refuse_while_capturing("allocate");
    const CurrentDevice current(ordinal_);
    const RelaxedCapture relaxed;
    void* memory = nullptr;
    if (const auto code = cudaMalloc(&memory, bytes); code != cudaSuccess)
      fail(code, fmt::format("cudaMalloc of {} bytes on device {}", bytes, ordinal_));
    return memory;
  }

  void release(void* memory) noexcept override {
    const RelaxedCapture relaxed;
    cudaFree(memory);  // finds the device by the address
  }

  void copy(void* to, const void* from, std::size_t bytes, GpuStream stream) override {
    if (bytes == 0) return;
    const CurrentDevice current(ordinal_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, native(stream)), "cudaMemcpyAsync");
  }

  void clear(void* memory, std::size_t bytes, GpuStream stream) override {
    if (bytes == 0) return;
    const CurrentDevice current(ordinal_);
    check(cudaMemsetAsync(memory, 0, bytes, native(stream)), "cudaMemsetAsync");
  }

  void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
              std::size_t argument_bytes, GpuStream stream) override {
    const auto& compiled = *static_cast<const CudaKernel*>(kernel.handle);
    if (argument_bytes != compiled.argument_bytes) {
      throw Error(fmt::format("{} takes {} bytes of arguments and was given {}", kernel.name,
                              compiled.argument_bytes, argument_bytes));
    }
    const CurrentDevice current(ordinal_);
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = {shape.blocks, 1, 1};
    configuration.blockDim = {shape.threads, 1, 1};
    configuration.dynamicSmemBytes = shape.shared_bytes;
    configuration.stream = native(stream);
    void* arguments[]{const_cast<void*>(argument)};
    const auto code = cudaLaunchKernelExC(&configuration, compiled.kernel, arguments);
    if (code != cudaSuccess) {
      fail(code, fmt::format("cudaLaunchKernelExC of {} ({} blocks of {} threads, {} bytes shared)",
                             kernel.name, shape.blocks, shape.threads, shape.shared_bytes));
    }
  }

  void synchronize(GpuStream stream) override {
    CudaGraph::refuse_while_capturing("synchronize");
    const CurrentDevice current(ordinal_);
    check(cudaStreamSynchronize(native(stream)), "cudaStreamSynchronize");
  }

  void multiply(const MatrixProduct& product, GpuStream stream) override {
    cuda::check(product, product_workspace_bytes());
    if (product.rows == 0 || product.columns == 0) return;
    const CurrentDevice current(ordinal_);
    cublas().multiply(product, stream);
  }

  /// As cuBLAS's own: "cublasSetWorkspace" of its manual.
  std::size_t product_workspace_bytes() override {
    cublas();
    return std::size_t{properties_.compute_capability >= 90 ? 32u : 4u} << 20;
  }

  GpuStream make_stream() override {
    const CurrentDevice current(ordinal_);
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
  }
  void release_stream(GpuStream stream) noexcept override { cudaStreamDestroy(native(stream)); }

  std::unique_ptr<GpuGraph> capture(GpuStream stream, const std::function<void()>& work) override {
    const CurrentDevice current(ordinal_);
    return std::make_unique<CudaGraph>(ordinal_, native(stream), work);
  }

 private:
  CublasHandle& cublas() {
    const std::lock_guard lock(cublas_mutex_);
    if (!cublas_) {
      const CurrentDevice current(ordinal_);
      const RelaxedCapture relaxed;
      cublas_ = std::make_unique<CublasHandle>();
    }
    return *cublas_;
  }

  static cudaStream_t native(GpuStream stream) { return static_cast<cudaStream_t>(stream); }

  int ordinal_;
  GpuProperties properties_;
  KernelCompiler compiler_;
  MadeOnce<std::shared_ptr<const CudaModule>> modules_;
  std::mutex cublas_mutex_;
  std::unique_ptr<CublasHandle> cublas_;  ///< made for the first product
};

}  // namespace

std::shared_ptr<Gpu> make_cuda_gpu(int ordinal) { return std::make_shared<CudaGpu>(ordinal); }

}  // namespace ito::cuda
