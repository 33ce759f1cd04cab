#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/emulated/device.hpp"
#include "refusal.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::cuda {
namespace {

/// A [rows, columns] matrix kept as it is or transposed, rows `stride` apart, NaNs in the gaps.
template <class Number>
struct Matrix {
  int rows, columns, stride;
  bool transposed;
  std::vector<Number> memory;

  Matrix(int row_count, int column_count, int gap, bool kept_transposed, unsigned seed)
      : rows(row_count),
        columns(column_count),
        stride((kept_transposed ? rows : columns) + gap),
        transposed(kept_transposed),
        memory(static_cast<std::size_t>(stride * (transposed ? columns : rows)),
               static_cast<Number>(NAN)) {
    std::mt19937 words(seed);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) at(i, j) = static_cast<Number>(words() % 17) - 8;
    }
  }
  Number& at(int i, int j) {
    return memory[static_cast<std::size_t>(transposed ? j * stride + i : i * stride + j)];
  }
  MatrixProduct::Factor factor() const { return {memory.data(), stride, transposed}; }
};

alignas(256) std::byte workspace[256];

/// Whole numbers, so that every order of summation gives the same.
template <class Number>
void expect_product(FactorType type, bool a_transposed, bool b_transposed, double beta) {
  constexpr int rows = 5, columns = 7, inner = 3;
  Matrix<Number> a(rows, inner, 2, a_transposed, 1), b(inner, columns, 1, b_transposed, 2);
  Matrix<Number> c(rows, columns, 4, false, 3);
  if (beta == 0) std::fill(c.memory.begin(), c.memory.end(), static_cast<Number>(NAN));
  Matrix<Number> before = c;
  EmulatedGpu gpu;
  gpu.multiply({type, rows, columns, inner, 2.0, beta, a.factor(), b.factor(), c.memory.data(),
                c.stride, workspace, sizeof workspace},
               nullptr);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      Number sum = beta == 0 ? Number(0) : static_cast<Number>(beta) * before.at(i, j);
      for (int k = 0; k < inner; ++k) sum += 2 * a.at(i, k) * b.at(k, j);
      EXPECT_EQ(c.at(i, j), sum) << i << ' ' << j;
    }
    for (int j = columns; j < c.stride; ++j) {
      const Number gap = c.memory[static_cast<std::size_t>(i * c.stride + j)];
      EXPECT_NE(gap, gap) << "wrote beyond a row";
    }
  }
}

TEST(MatrixProduct, IsThatOfRowMajorMatricesAsTheyAreOrTransposed) {
  for (const bool a : {false, true}) {
    for (const bool b : {false, true}) {
      for (const double beta : {0.0, 1.0, -0.5}) {
        expect_product<float>(FactorType::fp32, a, b, beta);
        expect_product<float>(FactorType::tf32, a, b, beta);
        expect_product<double>(FactorType::fp64, a, b, beta);
      }
    }
  }
}

TEST(MatrixProduct, RoundsFactorsToElevenBitsInFastAlone) {
  const float a = 1 + 0x1p-12f, b = 1;
  for (const FactorType type : {FactorType::fp32, FactorType::tf32}) {
    float c = 0;
    EmulatedGpu gpu;
    gpu.multiply({type, 1, 1, 1, 1.0, 0.0, {&a, 1}, {&b, 1}, &c, 1, workspace, 256}, nullptr);
    EXPECT_EQ(c, type == FactorType::tf32 ? 1.0f : a);
  }
}

/// C in 16 bits or in floats, α and β from the host or from memory.
TEST(MatrixProduct, TakesSixteenBitFactors) {
  unsigned short a[2], b[2], narrow = static_cast<unsigned short>(simt::pack_f16(5, 0));
  for (int i = 0; i < 2; ++i) {
    a[i] = static_cast<unsigned short>(simt::pack_f16(3.0f, 0));
    b[i] = static_cast<unsigned short>(simt::pack_f16(0.5f + static_cast<float>(i), 0));
  }
  EmulatedGpu gpu;
  float c = 5;
  MatrixProduct product{FactorType::f16, 1, 1, 2, 2.0, 1.0, {a, 2}, {b, 1}, &c, 1, workspace, 256};
  gpu.multiply(product, nullptr);
  EXPECT_EQ(c, 17.0f);
  product.c = &narrow;
  product.narrow_c = true;
  gpu.multiply(product, nullptr);
  EXPECT_EQ(f16_value(narrow), 17.0f);
  const float scales[2] = {0.5f, -1.0f};
  product.scales = scales;
  gpu.multiply(product, nullptr);
  EXPECT_EQ(f16_value(narrow), -14.0f);
  product.type = FactorType::fp32;
  EXPECT_EQ(refusal([&] { gpu.multiply(product, nullptr); }),
            "matrix product: narrow_c: got wide factors; accepted: f16 factors");
}

TEST(MatrixProduct, OfNothingIsBetaTimesWhatWasThere) {
  float c = 3;
  EmulatedGpu gpu;
  gpu.multiply(
      {FactorType::fp32, 1, 1, 0, 1.0, 2.0, {nullptr, 1}, {nullptr, 1}, &c, 1, workspace, 256},
      nullptr);
  EXPECT_EQ(c, 6.0f);
}

TEST(MatrixProduct, NamesTheStrideOrTheWorkspaceThatIsTooSmall) {
  EmulatedGpu gpu;
  float x[16] = {};
  MatrixProduct product{FactorType::fp32, 2, 3, 4, 1.0, 0.0, {x, 4}, {x, 3}, x, 3, workspace, 256};
  const auto says = [&] { return refusal([&] { gpu.multiply(product, nullptr); }); };
  product.a.stride = 3;
  EXPECT_EQ(says(), "matrix product: stride of A: got 3; accepted: at least 4");
  product.a = {x, 2, true};
  product.b.transposed = true;
  EXPECT_EQ(says(), "matrix product: stride of B: got 3; accepted: at least 4");
  product.b.stride = 4;
  product.c_stride = 2;
  EXPECT_EQ(says(), "matrix product: stride of C: got 2; accepted: at least 3");
  product.c_stride = 3;
  product.workspace_bytes = 255;
  EXPECT_EQ(says(),
            "matrix product: workspace: got 255 bytes; accepted: at least 256, aligned to 256");
}

}  // namespace
}  // namespace ito::cuda
