// Where ITO_COMPILE_FOR holds a compute capability, such as 90, device 0 of the program that this
// is linked to is one that compiles kernels for it and runs none: every kernel asked for comes into
// the cache (ITO_CACHE_DIR) of a machine that has NVRTC and no card. Results are zeros.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include <ito/error.hpp>

#include "cuda/gpu.hpp"
#include "cuda/kernel_compiler.hpp"

namespace ito::cuda {
namespace {

/// Bytes a block may ask for (CUDA C++ Programming Guide, technical specifications): kernels depend
/// on it.
std::size_t shared_memory_per_block(int compute_capability) {
  if (compute_capability == 80 || compute_capability == 87) return 163 << 10;
  const int major = compute_capability / 10;
  return major == 9 || major == 10 ? 227 << 10 : 99 << 10;
}

struct UncalledModule : GpuModule {
  GpuKernel kernel(const std::string& name) const override { return {nullptr, name}; }
};
struct EmptyGraph : GpuGraph {
  void launch(GpuStream) override {}
};

class CompilingGpu final : public Gpu {
 public:
  explicit CompilingGpu(int compute_capability)
      : properties_{"none: kernels are compiled and not run",
                    compute_capability,
                    132,
                    shared_memory_per_block(compute_capability),
                    std::size_t{4} << 30,
                    std::size_t{50} << 20},
        compiler_(cubin_architecture(compute_capability, Nvrtc::instance().architectures()),
                  CubinCache(CubinCache::default_folder())) {}

  const GpuProperties& properties() const override { return properties_; }
  std::shared_ptr<const GpuModule> compile(const KernelSource& source) override {
    compiler_.compile(source);
    return std::make_shared<UncalledModule>();
  }

  void* allocate(std::size_t bytes) override {
    constexpr std::size_t alignment = 256;
    const std::size_t whole = (bytes / alignment + 1) * alignment;
    void* memory = bytes > properties_.memory ? nullptr : std::aligned_alloc(alignment, whole);
    if (memory == nullptr) throw Error(fmt::format("allocate: no memory for {} bytes", bytes));
    return std::memset(memory, 0, whole);
  }
  void release(void* memory) noexcept override { std::free(memory); }
  void copy(void* to, const void* from, std::size_t bytes, GpuStream) override {
    if (bytes != 0) std::memmove(to, from, bytes);
  }
  void clear(void*, std::size_t, GpuStream) override {}
  void launch(const GpuKernel&, LaunchShape, const void*, std::size_t, GpuStream) override {}
  void multiply(const MatrixProduct&, GpuStream) override {}
  std::size_t product_workspace_bytes() override { return 256; }
  void synchronize(GpuStream) override {}
  GpuStream make_stream() override { return this; }
  void release_stream(GpuStream) noexcept override {}
  std::unique_ptr<GpuGraph> capture(GpuStream, const std::function<void()>& work) override {
    work();
    return std::make_unique<EmptyGraph>();
  }

 private:
  GpuProperties properties_;
  KernelCompiler compiler_;
};

/// Before main, so that a program of tests, whose main is not ours, has it too.
[[maybe_unused]] const bool placed = [] {
  const char* asked = std::getenv("ITO_COMPILE_FOR");
  if (asked == nullptr) return false;
  try {
    replace_gpu(std::make_shared<CompilingGpu>(std::atoi(asked)));
  } catch (const Error& error) {
    fmt::print(stderr, "ITO_COMPILE_FOR={}: {}\n", asked, error.what());
    std::exit(1);
  }
  return true;
}();

}  // namespace
}  // namespace ito::cuda
