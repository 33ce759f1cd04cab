#include <ito/device.hpp>
#include <ito/error.hpp>

#include <array>
#include <cstdlib>
#include <string>

#include "cpu/scheme_kernels.hpp"

namespace ito {

const CpuKernels& cpu_kernels() {
  const auto available = xsimd::available_architectures();
  const bool avx2 = available.avx2 && available.fma3_avx2;
  const std::array<std::pair<const CpuKernels*, bool>, 3> choices{
      {{&avx512_kernels, avx2 && available.avx512bw},
       {&avx2_kernels, avx2},
       {&sse2_kernels, true}}};
  const char* variable = std::getenv("ITO_CPU_ISA");
  const std::string wanted = variable ? variable : "";
  for (const auto& [kernels, runs] : choices) {
    if (runs && (wanted.empty() || wanted == kernels->name)) return *kernels;
  }
  throw Error("ITO_CPU_ISA", wanted, "sse2, avx2 or avx512, as far as this machine has them");
}

const SchemeKernels& scheme_kernels(const CpuKernels& kernels) {
  if (&kernels == &avx512_kernels) return avx512_scheme_kernels;
  return &kernels == &avx2_kernels ? avx2_scheme_kernels : sse2_scheme_kernels;
}

std::string cpu_instruction_set() { return cpu_kernels().name; }

}  // namespace ito
