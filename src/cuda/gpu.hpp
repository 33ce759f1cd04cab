#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cuda/matrix_product.hpp"

namespace ito::cuda {

/// A CUDA stream as a plain handle (`cudaStream_t`); null is the default stream.
using GpuStream = void*;

struct GpuProperties {
  std::string name;
  int compute_capability = 0;  ///< 90 for sm_90
  int multiprocessors = 0;
  std::size_t shared_memory_per_block = 0;  ///< bytes a block may ask for
  std::size_t memory = 0;                   ///< bytes of global memory
  std::size_t l2_cache = 0;                 ///< bytes; 0 where the device does not say
  double clock = 0;                         ///< Hz at most; 0 where the device does not say
  /// Given by tests, instead of the fused engine's choice: that of `fused_layout`, for all calls.
  std::optional<int> unit_tiles = {};
};

/// What a module is compiled from. `text` is one translation unit: constants of the model's shape
/// and an include of kernels/….cuh.
struct KernelSource {
  std::string name;  ///< for messages and profilers
  std::string text;
};

/// One compiled kernel; lives as long as its module. Kernels take one argument, a plain struct.
struct GpuKernel {
  void* handle = nullptr;
  std::string name;
};

/// The outcome of compiling one KernelSource for one device.
class GpuModule {
 public:
  virtual ~GpuModule() = default;
  /// Throws ito::Error when there is no such kernel.
  virtual GpuKernel kernel(const std::string& name) const = 0;
};

/// Captured work, put on a stream as one piece as often as wanted. What it uses (modules, memory)
/// must outlive it.
class GpuGraph {
 public:
  virtual ~GpuGraph() = default;
  virtual void launch(GpuStream stream) = 0;
};

struct LaunchShape {
  unsigned blocks = 1;
  unsigned threads = 32;
  unsigned shared_bytes = 0;
};

/// What the CUDA engine needs of a device, and all it knows of one. The real one compiles with
/// NVRTC and launches through the CUDA runtime; the tests have another, which compiles the same
/// sources for the host and runs them there. Every call throws ito::Error naming the call and the
/// reason. Work on one stream runs in order; nothing but `synchronize` waits. Thread-safe.
class Gpu {
 public:
  virtual ~Gpu() = default;

  virtual const GpuProperties& properties() const = 0;
  /// From the cache where it is there.
  virtual std::shared_ptr<const GpuModule> compile(const KernelSource& source) = 0;

  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// Between host and device in any direction.
  virtual void copy(void* to, const void* from, std::size_t bytes, GpuStream stream) = 0;
  virtual void clear(void* memory, std::size_t bytes, GpuStream stream) = 0;

  virtual void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
                      std::size_t argument_bytes, GpuStream stream) = 0;
  virtual void synchronize(GpuStream stream) = 0;

  /// Puts a product on a stream: by cuBLAS on the real device, which is loaded here or at
  /// `product_workspace_bytes`. It allocates nothing and can be captured in a CUDA graph. The same
  /// product in the same workspace size gives the same bits, and a row of C does not depend on what
  /// the other rows of A hold; it may depend on how many there are.
  virtual void multiply(const MatrixProduct& product, GpuStream stream) = 0;
  /// Bytes of scratch memory that products want. Throws ito::Error when there is no cuBLAS.
  virtual std::size_t product_workspace_bytes() = 0;

  /// A stream beside the default one, which it never waits for.
  virtual GpuStream make_stream() = 0;
  virtual void release_stream(GpuStream stream) noexcept = 0;
  /// Keeps what `work` puts on `stream`, one of `make_stream`, instead of running it: arguments of
  /// kernels by value, memory by address. Meanwhile this thread may neither allocate nor wait.
  /// Throws what `work` throws.
  virtual std::unique_ptr<GpuGraph> capture(GpuStream stream,
                                            const std::function<void()>& work) = 0;
};

/// The devices of this machine: none without a driver or in a build without CUDA, and then
/// `gpu_absence()` says why in half a sentence.
int gpu_count();
std::string gpu_absence();
/// Device `ordinal`, opened at first use and shared. Throws ito::Error when there is none.
std::shared_ptr<Gpu> open_gpu(int ordinal);

/// Puts `gpu` in the place of device 0 for this process (null: undoes it). For tests, whose device
/// runs kernels on the host.
void replace_gpu(std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
