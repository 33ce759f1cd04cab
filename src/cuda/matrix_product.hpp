#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <ito/error.hpp>
#include <ito/plan.hpp>

namespace ito::cuda {

/// The numbers of factors, and with them those of C: floats, but doubles for fp64. tf32: floats of
/// which 11 bits count. Sums are in float, those of doubles in double.
enum class FactorType { fp64, fp32, tf32, f16 };

/// Those of a product of a precision's own numbers.
inline FactorType factor_type(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return FactorType::fp64;
    case Precision::fast:
      return FactorType::tf32;
    default:
      return FactorType::fp32;
  }
}

/// C = α op(A) op(B) + β C, all of them row-major in device memory: op(A) is [rows, inner], op(B)
/// [inner, columns], C [rows, columns]. With β = 0 what is in C does not matter.
struct MatrixProduct {
  struct Factor {
    const void* data = nullptr;
    int stride = 0;           ///< numbers from one row to the next, in memory
    bool transposed = false;  ///< whether memory holds op(A)ᵀ
  };
  FactorType type = FactorType::fp32;
  int rows = 0, columns = 0, inner = 0;
  double alpha = 1, beta = 0;
  Factor a, b;
  void* c = nullptr;
  int c_stride = 0;
  /// Scratch memory that no other product touches while this one runs: at least
  /// `Gpu::product_workspace_bytes`, aligned to 256 bytes.
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  const float* scales = nullptr;  ///< α and β in device memory, read instead, or null
  bool narrow_c = false;          ///< whether C has the 16 bits of f16 factors too
};
/// Throws ito::Error where a size is negative, or strides or workspace are too small.
inline void check(const MatrixProduct& product, std::size_t least_workspace) {
  const auto require = [](const char* what, int got, int least) {
    if (got >= least) return;
    throw Error(std::string("matrix product: ") + what, std::to_string(got),
                "at least " + std::to_string(least));
  };
  const MatrixProduct::Factor &a = product.a, &b = product.b;
  if (product.narrow_c && product.type != FactorType::f16)
    throw Error("matrix product: narrow_c", "wide factors", "f16 factors");
  if (product.scales != nullptr && product.type == FactorType::fp64)
    throw Error("matrix product: scales", "fp64 factors", "others");
  require("rows", product.rows, 0);
  require("columns", product.columns, 0);
  require("inner", product.inner, 0);
  require("stride of A", a.stride, std::max(1, a.transposed ? product.rows : product.inner));
  require("stride of B", b.stride, std::max(1, b.transposed ? product.inner : product.columns));
  require("stride of C", product.c_stride, std::max(1, product.columns));
  if (product.workspace_bytes < least_workspace ||
      reinterpret_cast<std::uintptr_t>(product.workspace) % 256 != 0) {
    throw Error("matrix product: workspace", std::to_string(product.workspace_bytes) + " bytes",
                "at least " + std::to_string(least_workspace) + ", aligned to 256");
  }
}

}  // namespace ito::cuda
