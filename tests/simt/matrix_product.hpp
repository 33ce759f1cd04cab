#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cuda/gpu.hpp"
#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// A number of a matrix, from what memory holds and in the precision of the sums.
template <class Number>
Number number_at(FactorType type, const void* data, std::ptrdiff_t i) {
  if (type == FactorType::f16)
    return static_cast<Number>(f16_value(static_cast<const unsigned short*>(data)[i]));
  const Number value = static_cast<const Number*>(data)[i];
  if (type != FactorType::tf32) return value;
  return static_cast<Number>(__builtin_bit_cast(float, to_tf32(static_cast<float>(value))));
}

/// op(A) or op(B) as [rows, columns], without gaps.
template <class Number>
std::vector<Number> gathered(FactorType type, const MatrixProduct::Factor& factor, int rows,
                             int columns) {
  std::vector<Number> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  auto next = out.begin();
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    for (std::ptrdiff_t j = 0; j < columns; ++j)
      *next++ = number_at<Number>(
          type, factor.data, factor.transposed ? j * factor.stride + i : i * factor.stride + j);
  }
  return out;
}

/// Number i of C.
template <class Number>
Number c_number(const MatrixProduct& product, std::size_t i) {
  return number_at<Number>(product.narrow_c ? product.type : FactorType::fp32, product.c,
                           static_cast<std::ptrdiff_t>(i));
}
template <class Number>
void set_c_number(const MatrixProduct& product, std::size_t i, Number value) {
  const auto number = static_cast<float>(value);
  if (!product.narrow_c) {
    static_cast<Number*>(product.c)[i] = value;
  } else {
    static_cast<unsigned short*>(product.c)[i] = static_cast<unsigned short>(pack_f16(number, 0));
  }
}

/// A MatrixProduct in host memory.
template <class Number>
void multiply(const MatrixProduct& product) {
  const auto a = gathered<Number>(product.type, product.a, product.rows, product.inner);
  const auto b = gathered<Number>(product.type, product.b, product.inner, product.columns);
  const auto columns = static_cast<std::size_t>(product.columns);
  const auto inner = static_cast<std::size_t>(product.inner);
  const float* scales = product.scales;
  const auto alpha = static_cast<Number>(scales ? scales[0] : product.alpha);
  const auto beta = static_cast<Number>(scales ? scales[1] : product.beta);
  std::vector<Number> sums(columns);
  for (std::size_t i = 0; i < static_cast<std::size_t>(product.rows); ++i) {
    std::fill(sums.begin(), sums.end(), Number(0));
    for (std::size_t k = 0; k < inner; ++k) {
      const Number factor = a[i * inner + k];
      for (std::size_t j = 0; j < columns; ++j) sums[j] += factor * b[k * columns + j];
    }
    const std::size_t row = i * static_cast<std::size_t>(product.c_stride);
    for (std::size_t j = 0; j < columns; ++j) {
      const Number before =
          beta == Number(0) ? Number(0) : beta * c_number<Number>(product, row + j);
      set_c_number(product, row + j, alpha * sums[j] + before);
    }
  }
}

}  // namespace ito::cuda::simt
