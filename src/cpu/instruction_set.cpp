#include <ito/device.hpp>
#include <ito/error.hpp>

#include <array>
#include <cstdlib>
#include <string>

#include <xsimd/xsimd.hpp>

#include "cpu/kernels.hpp"

namespace ito::cpu {
namespace sse2 {
extern const CpuKernels kernels;
}
namespace avx2 {
extern const CpuKernels kernels;
}
namespace avx512 {
extern const CpuKernels kernels;
}

const CpuKernels& cpu_kernels() {
  const auto available = xsimd::available_architectures();
  const bool avx2 = available.avx2 && available.fma3_avx2;
  const std::array<std::pair<const CpuKernels*, bool>, 3> choices{
      {{&avx512::kernels, avx2 && available.avx512bw},
       {&avx2::kernels, avx2},
       {&sse2::kernels, true}}};
  const char* variable = std::getenv("ITO_CPU_ISA");
  const std::string wanted = variable ? variable : "";
  for (const auto& [kernels, runs] : choices) {
    if (runs && (wanted.empty() || wanted == kernels->name)) return *kernels;
  }
  throw Error("ITO_CPU_ISA", wanted, "sse2, avx2 or avx512, as far as this machine has them");
}

}  // namespace ito::cpu

std::string ito::cpu_instruction_set() { return cpu::cpu_kernels().name; }
