#include <ito/plan.hpp>

#include <array>

#include "model/text.hpp"

namespace ito {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> precisions{"fp32", "fast", "fp64"};
constexpr std::array<std::string_view, 4> kernels{"auto", "fused", "layered", "per-path"};

}  // namespace

std::string_view name(Precision precision) {
  return precisions.at(static_cast<std::size_t>(precision));
}
std::string_view name(CudaKernels choice) { return kernels.at(static_cast<std::size_t>(choice)); }

Precision parse_precision(std::string_view text) {
  return parse_name<Precision>(precisions, text, "precision");
}
CudaKernels parse_cuda_kernels(std::string_view text) {
  return parse_name<CudaKernels>(kernels, text, "cuda_kernels");
}

}  // namespace ito
