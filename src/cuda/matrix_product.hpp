#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <ito/error.hpp>
#include <ito/plan.hpp>

namespace ito::cuda {

/// C = α op(A) op(B) + β C, all of them row-major in device memory: op(A) is [rows, inner], op(B)
/// [inner, columns], C [rows, columns]. With β = 0 what is in C does not matter.
struct MatrixProduct {
  struct Factor {
    const void* data = nullptr;
    int stride = 0;           ///< numbers from one row to the next, in memory
    bool transposed = false;  ///< whether memory holds op(A)ᵀ
  };
  /// Numbers are floats; in fp64, doubles. fp32: float arithmetic. fast: tensor cores, factors
  /// rounded to tf32 (11 bits), sums in float.
  Precision precision = Precision::fp32;
  int rows = 0, columns = 0, inner = 0;
  double alpha = 1, beta = 0;
  Factor a, b;
  void* c = nullptr;
  int c_stride = 0;
  /// Scratch memory that no other product touches while this one runs: at least
  /// `Gpu::product_workspace_bytes`, aligned to 256 bytes.
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};
/// Throws ito::Error where a size is negative, or strides or workspace are too small.
inline void check(const MatrixProduct& product, std::size_t least_workspace) {
  const auto require = [](const char* what, int got, int least) {
    if (got >= least) return;
    throw Error(std::string("matrix product: ") + what, std::to_string(got),
                "at least " + std::to_string(least));
  };
  const MatrixProduct::Factor &a = product.a, &b = product.b;
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
