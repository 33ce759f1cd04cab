#include "simt/emulated_gpu.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <ito/error.hpp>

#include "kernels/emulated/device.hpp"
#include "simt/host_compiler.hpp"
#include "simt/launch.hpp"
#include "simt/matrix_product.hpp"

namespace ito::cuda {
namespace {

/// What a kernel's handle points to.
struct EmulatedKernel {
  simt::Kernel entry;
  simt::KernelBounds bounds;
};

/// Never unloaded: messages and sanitizers refer to its text.
class EmulatedModule : public GpuModule {
 public:
  EmulatedModule(std::string name, const std::string& library) : name_(std::move(name)) {
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw Error("dlopen: " + std::string(dlerror()));
  }

  GpuKernel kernel(const std::string& kernel_name) const override {
    void* entry = dlsym(library_, kernel_name.c_str());
    void* bounds = dlsym(library_, (kernel_name + "_bounds").c_str());
    if (entry == nullptr || bounds == nullptr) {
      throw Error("module " + name_ + " has no kernel '" + kernel_name + "'");
    }
    const std::lock_guard lock(mutex_);
    auto& kernel = kernels_[kernel_name];
    if (!kernel) {
      kernel = std::make_unique<EmulatedKernel>(
          EmulatedKernel{reinterpret_cast<simt::Kernel>(entry),
                         reinterpret_cast<simt::KernelBounds (*)()>(bounds)()});
    }
    return {kernel.get(), kernel_name};
  }

 private:
  std::string name_;
  void* library_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::unique_ptr<EmulatedKernel>> kernels_;
};

/// Operations in the order in which they were put on the stream.
struct EmulatedGraph : GpuGraph {
  std::vector<std::function<void()>> operations;
  void launch(GpuStream) override;
};

struct Capture;
thread_local Capture* captured = nullptr;  ///< what the thread captures, if it does

struct Capture {
  Capture(GpuStream on, std::vector<std::function<void()>>& into) : stream(on), operations(into) {
    captured = this;
  }
  ~Capture() { captured = nullptr; }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  GpuStream stream;
  std::vector<std::function<void()>>& operations;
};

void refuse_while_capturing(const char* call) {
  if (captured) throw Error(std::string(call) + ": not while a graph is captured");
}

void EmulatedGraph::launch(GpuStream) {
  refuse_while_capturing("launch of a graph");
  for (const auto& operation : operations) operation();
}

void limit(const std::string& kernel, const char* what, std::size_t got, std::size_t most) {
  if (got == 0 || got > most) {
    throw Error("launch of " + kernel + ": " + what, std::to_string(got),
                "1 to " + std::to_string(most));
  }
}

}  // namespace

GpuProperties emulated_properties() {
  return {.name = "emulated H100",
          .compute_capability = 90,
          .multiprocessors = 132,
          .shared_memory_per_block = 227 * 1024,
          .memory = std::size_t{4} << 30,
          .l2_cache = std::size_t{50} << 20};
}

EmulatedGpu::~EmulatedGpu() {
  for (const auto& [memory, bytes] : allocations_) std::free(memory);
}

std::shared_ptr<const GpuModule> EmulatedGpu::compile(const KernelSource& source) {
  return std::make_shared<EmulatedModule>(source.name, simt::compile_for_host(source));
}

void* EmulatedGpu::allocate(std::size_t bytes) {
  refuse_while_capturing("allocate");
  if (bytes == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  void* memory = nullptr;
  if (bytes > properties().memory - allocated_ || posix_memalign(&memory, 256, bytes) != 0) {
    throw Error("allocate: out of memory for " + std::to_string(bytes) + " bytes");
  }
  std::memset(memory, 0xFF, bytes);
  allocations_[memory] = bytes;
  allocated_ += bytes;
  return memory;
}

void EmulatedGpu::release(void* memory) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(memory);
  if (found == allocations_.end()) return;
  allocated_ -= found->second;
  allocations_.erase(found);
  std::free(memory);
}

void EmulatedGpu::copy(void* to, const void* from, std::size_t bytes, GpuStream stream) {
  if (bytes != 0) put(stream, [=] { std::memmove(to, from, bytes); });
}

void EmulatedGpu::clear(void* memory, std::size_t bytes, GpuStream stream) {
  if (bytes != 0) put(stream, [=] { std::memset(memory, 0, bytes); });
}

void EmulatedGpu::synchronize(GpuStream) { refuse_while_capturing("synchronize"); }

GpuStream EmulatedGpu::make_stream() { return new char; }

void EmulatedGpu::release_stream(GpuStream stream) noexcept { delete static_cast<char*>(stream); }

std::unique_ptr<GpuGraph> EmulatedGpu::capture(GpuStream stream,
                                               const std::function<void()>& work) {
  refuse_while_capturing("capture");
  if (stream == nullptr) throw Error("capture: the default stream cannot be captured");
  auto graph = std::make_unique<EmulatedGraph>();
  const Capture capture(stream, graph->operations);
  work();
  return graph;
}

void EmulatedGpu::put(GpuStream stream, std::function<void()> operation) {
  if (captured == nullptr) return operation();
  if (stream != captured->stream)
    throw Error("a call on another stream than the one that is captured");
  captured->operations.push_back(std::move(operation));
}

void EmulatedGpu::multiply(const MatrixProduct& product, GpuStream stream) {
  check(product, product_workspace_bytes());
  put(stream, [product] {
    if (product.type == FactorType::fp64)
      simt::multiply<double>(product);
    else
      simt::multiply<float>(product);
  });
}

void EmulatedGpu::launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
                         std::size_t argument_bytes, GpuStream stream) {
  const auto& emulated = *static_cast<const EmulatedKernel*>(kernel.handle);
  limit(kernel.name, "blocks", shape.blocks, 0x7FFFFFFF);
  limit(kernel.name, "threads", shape.threads, emulated.bounds.threads);
  if (shape.shared_bytes > properties().shared_memory_per_block) {
    throw Error("launch of " + kernel.name + ": shared memory", std::to_string(shape.shared_bytes),
                "up to " + std::to_string(properties().shared_memory_per_block) + " bytes");
  }
  if (argument_bytes != emulated.bounds.argument_bytes) {
    throw Error("launch of " + kernel.name + ": bytes of the argument",
                std::to_string(argument_bytes), std::to_string(emulated.bounds.argument_bytes));
  }
  const simt::Launch how{kernel.name,        shape.blocks,   shape.threads,
                         shape.shared_bytes, options_.races, options_.wgmma_from_last};
  const auto* bytes = static_cast<const std::byte*>(argument);
  put(stream,
      [how, entry = emulated.entry, kept = std::vector<std::byte>(bytes, bytes + argument_bytes)] {
        simt::launch(how, entry, kept.data());
      });
}

}  // namespace ito::cuda
