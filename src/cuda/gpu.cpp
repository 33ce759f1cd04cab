#include "cuda/gpu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include <ito/error.hpp>

#include "cuda/runtime.hpp"

namespace ito::cuda {
namespace {

/// The devices opened so far, for the life of the process.
struct Registry {
  std::mutex mutex;
  std::map<int, std::shared_ptr<Gpu>> opened;
  std::shared_ptr<Gpu> replacement;
};

Registry& registry() {
  static Registry only;
  return only;
}

}  // namespace

int gpu_count() {
  const std::lock_guard lock(registry().mutex);
  return std::max(cuda_runtime().devices, registry().replacement ? 1 : 0);
}

std::string gpu_absence() { return gpu_count() > 0 ? "" : cuda_runtime().absence; }

std::shared_ptr<Gpu> open_gpu(int ordinal) {
  const std::string device = ordinal == 0 ? "cuda" : fmt::format("cuda:{}", ordinal);
  const int count = gpu_count();
  if (count == 0) {
    throw Error("device", fmt::format("{}, but {}", device, gpu_absence()), "cpu, reference");
  }
  if (ordinal < 0 || ordinal >= count)
    throw Error("device", device, fmt::format("cuda:0 to cuda:{}", count - 1));
  const std::lock_guard lock(registry().mutex);
  if (ordinal == 0 && registry().replacement) return registry().replacement;
  std::shared_ptr<Gpu>& gpu = registry().opened[ordinal];
  if (!gpu) {
    try {
      gpu = make_cuda_gpu(ordinal);
    } catch (const Error& error) {
      throw Error(fmt::format("device {}: {}", device, error.what()));
    }
  }
  return gpu;
}

void replace_gpu(std::shared_ptr<Gpu> gpu) {
  const std::lock_guard lock(registry().mutex);
  registry().replacement = std::move(gpu);
}

}  // namespace ito::cuda
