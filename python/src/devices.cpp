// What this machine has to compute with.
#include <nanobind/stl/string.h>

#include "bindings.hpp"

namespace ito::python {
namespace {

nb::object text(const std::string& value) {
  return value.empty() ? nb::object(nb::none()) : nb::cast(value);
}

nb::dict info() {
  parse_device("auto");
  const CudaReport cuda = cuda_report();
  nb::list gpus;
  for (const CudaReport::Gpu& one : cuda.gpus) {
    nb::dict gpu;
    gpu["name"] = one.name;
    gpu["compute_capability"] = one.compute_capability;
    gpu["multiprocessors"] = one.multiprocessors;
    gpu["memory"] = one.memory;
    gpu["refusal"] = text(one.refusal);
    gpus.append(gpu);
  }
  nb::dict all;
  all["version"] = version();
  all["instruction_set"] = cpu_instruction_set();
  all["threads"] = thread_count(0);
  all["gpus"] = gpus;
  all["no_gpu_because"] = text(cuda.absence);
  all["cuda_driver"] = text(cuda.driver);
  all["cuda_runtime"] = text(cuda.runtime);
  all["nvrtc"] = text(cuda.compiler_file);
  all["no_nvrtc_because"] = text(cuda.compiler_absence);
  all["cublas"] = text(cuda.products_file);
  all["no_cublas_because"] = text(cuda.products_absence);
  all["kernel_cache"] = text(cuda.cache);
  return all;
}

}  // namespace

Device parse_device(const std::string& text) {
  static bool looked = false;
  if (!looked && text != "cpu" && text != "reference") {
    looked = true;
    nb::module_::import_("itosde.cuda_libraries").attr("find")();
  }
  return Device::parse(text);
}

void add_devices(nb::module_& module) {
  module.def(
      "info", info,
      "A dict of what this machine and this build have to compute with: version, instruction "
      "set, threads, GPUs, and the libraries that CUDA kernels take, or why they are missing.");
}

}  // namespace ito::python
