#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cuda/gpu.hpp"
#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// op(A) or op(B) as [rows, columns], without gaps and as the precision rounds it.
template <class Number>
std::vector<Number> gathered(const MatrixProduct& product, const MatrixProduct::Factor& factor,
                             int rows, int columns) {
  const auto* data = static_cast<const Number*>(factor.data);
  std::vector<Number> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  auto next = out.begin();
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    for (std::ptrdiff_t j = 0; j < columns; ++j) {
      const Number value =
          factor.transposed ? data[j * factor.stride + i] : data[i * factor.stride + j];
      *next++ =
          product.precision == Precision::fast
              ? static_cast<Number>(__builtin_bit_cast(float, to_tf32(static_cast<float>(value))))
              : value;
    }
  }
  return out;
}

/// A MatrixProduct in host memory.
template <class Number>
void multiply(const MatrixProduct& product) {
  const auto a = gathered<Number>(product, product.a, product.rows, product.inner);
  const auto b = gathered<Number>(product, product.b, product.inner, product.columns);
  const auto columns = static_cast<std::size_t>(product.columns);
  const auto inner = static_cast<std::size_t>(product.inner);
  const auto alpha = static_cast<Number>(product.alpha), beta = static_cast<Number>(product.beta);
  std::vector<Number> sums(columns);
  for (std::size_t i = 0; i < static_cast<std::size_t>(product.rows); ++i) {
    std::fill(sums.begin(), sums.end(), Number(0));
    for (std::size_t k = 0; k < inner; ++k) {
      const Number factor = a[i * inner + k];
      for (std::size_t j = 0; j < columns; ++j) sums[j] += factor * b[k * columns + j];
    }
    Number* c = static_cast<Number*>(product.c) + i * static_cast<std::size_t>(product.c_stride);
    for (std::size_t j = 0; j < columns; ++j)
      c[j] = alpha * sums[j] + (beta == Number(0) ? Number(0) : beta * c[j]);
  }
}

}  // namespace ito::cuda::simt
