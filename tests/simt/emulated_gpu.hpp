#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// Those of an H100.
GpuProperties emulated_properties();

/// A Gpu that is not there: compiles kernels for the host with the compiler and the sanitizers that
/// built the tests, and runs them on the calling thread, before `launch` returns, with the checks
/// of simt/launch.hpp. Memory is the host's, of exactly the size asked for, so that
/// AddressSanitizer sees what leaves it; fresh memory is filled with NaNs. Compiled kernels are
/// kept in the build tree. A captured graph is a list of what was put on its stream.
///
///     ito::replace_gpu(std::make_shared<ito::EmulatedGpu>());
class EmulatedGpu : public Gpu {
 public:
  struct Options {
    GpuProperties properties = emulated_properties();
    bool races = true;             ///< whether shared memory is watched; off is faster
    bool wgmma_from_last = false;  ///< simt::Launch
  };

  EmulatedGpu() : EmulatedGpu(Options{}) {}
  explicit EmulatedGpu(Options options) : options_(std::move(options)) {}
  ~EmulatedGpu() override;

  const GpuProperties& properties() const override { return options_.properties; }
  std::shared_ptr<const GpuModule> compile(const KernelSource& source) override;
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void copy(void* to, const void* from, std::size_t bytes, GpuStream stream) override;
  void clear(void* memory, std::size_t bytes, GpuStream stream) override;
  void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
              std::size_t argument_bytes, GpuStream stream) override;
  /// Sums from the first term to the last, in the precision of the numbers.
  void multiply(const MatrixProduct& product, GpuStream stream) override;
  std::size_t product_workspace_bytes() override { return 256; }
  void synchronize(GpuStream stream) override;
  GpuStream make_stream() override;
  void release_stream(GpuStream stream) noexcept override;
  std::unique_ptr<GpuGraph> capture(GpuStream stream, const std::function<void()>& work) override;

 private:
  /// Now, or when the graph that is being captured runs.
  static void put(GpuStream stream, std::function<void()> operation);

  Options options_;
  std::mutex mutex_;
  std::map<void*, std::size_t> allocations_;
  std::size_t allocated_ = 0;
};

}  // namespace ito::cuda
