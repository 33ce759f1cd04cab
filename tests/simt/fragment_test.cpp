// Warp-level matrix instructions against plain products and transpositions. Where each element
// lives is written down here once more, from the tables of the PTX ISA ("Matrix fragments for
// mma…"): row and column of element i of a lane's fragment, groupID = lane >> 2, threadID_in_group
// = lane % 4.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/device/device.cuh"
#include "simt/run.hpp"

namespace ito::cuda {
namespace {

struct Element {
  int row, column;
};
using Layout = Element (*)(int group, int in_group, int i);

// .f16 and .bf16 m16n8k16: a0…a7, b0…b3.
Element a_m16k16(int group, int in_group, int i) {
  return {(0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8,
          in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
Element b_k16n8(int group, int in_group, int i) {
  return {in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0), group};
}
// .f16 m16n8k8: a0…a3, b0, b1.
Element a_m16k8_f16(int group, int in_group, int i) {
  return {i < 2 ? group : group + 8, in_group * 2 + (i & 1)};
}
Element b_k8n8_f16(int group, int in_group, int i) { return {in_group * 2 + i, group}; }
// .tf32 m16n8k8: a0…a3, b0, b1.
Element a_m16k8(int group, int in_group, int i) {
  return {i == 0 || i == 2 ? group : group + 8, i == 0 || i == 1 ? in_group : in_group + 4};
}
Element b_k8n8(int group, int in_group, int i) { return {i == 0 ? in_group : in_group + 4, group}; }
// The accumulators of both: c0…c3.
Element c_m16n8(int group, int in_group, int i) {
  return {i < 2 ? group : group + 8, in_group * 2 + (i & 1)};
}
// .f64 m8n8k4: a0, b0, c0, c1.
Element a_m8k4(int group, int in_group, int) { return {group, in_group}; }
Element b_k4n8(int group, int in_group, int) { return {in_group, group}; }
Element c_m8n8(int group, int in_group, int i) { return {group, in_group * 2 + (i & 1)}; }

template <class T>
class Matrix {
 public:
  Matrix(int rows, int columns)
      : columns_(columns), values_(static_cast<std::size_t>(rows * columns)) {}
  T& at(int row, int column) { return values_[static_cast<std::size_t>(row * columns_ + column)]; }
  /// The element of the running lane's fragment.
  T& at(Layout layout, int i) {
    const int lane = static_cast<int>(lane_index());
    const Element element = layout(lane >> 2, lane % 4, i);
    return at(element.row, element.column);
  }
  template <class Make>
  Matrix& fill(Make make) {
    for (T& value : values_) value = make();
    return *this;
  }

 private:
  int columns_;
  std::vector<T> values_;
};

std::mt19937 generator;

float normal() { return std::normal_distribution<float>()(generator); }
float normal_f16() { return simt::f16_value(pack_f16(normal(), 0) & 0xFFFFu); }
float normal_bf16() { return unpack_bf16(pack_bf16(normal(), 0)).v[0]; }
float normal_tf32() { return bits_float(to_tf32(normal())); }

/// d = c + a·b, for d computed in float or better.
template <class T>
void expect_product(Matrix<T>& d, Matrix<T>& c, Matrix<T>& a, Matrix<T>& b, int rows, int depth,
                    double tolerance) {
  for (int r = 0; r < rows; ++r) {
    for (int n = 0; n < 8; ++n) {
      double exact = c.at(r, n);
      for (int k = 0; k < depth; ++k) exact += double{a.at(r, k)} * b.at(k, n);
      EXPECT_NEAR(d.at(r, n), exact, tolerance) << "row " << r << ", column " << n;
    }
  }
}

template <class Pack, class Multiply>
void check_16_bit(float (*element)(), const Pack& pack, const Multiply& multiply) {
  Matrix<float> a(16, 16), b(16, 8), c(16, 8), d(16, 8);
  a.fill(element);
  b.fill(element);
  c.fill(normal);
  run_warp([&] {
    unsigned fa[4], fb[2];
    float fd[4];
    for (int i = 0; i < 4; ++i) fa[i] = pack(a.at(a_m16k16, 2 * i), a.at(a_m16k16, 2 * i + 1));
    for (int i = 0; i < 2; ++i) fb[i] = pack(b.at(b_k16n8, 2 * i), b.at(b_k16n8, 2 * i + 1));
    for (int i = 0; i < 4; ++i) fd[i] = c.at(c_m16n8, i);
    multiply(fd, fa, fb);
    for (int i = 0; i < 4; ++i) d.at(c_m16n8, i) = fd[i];
  });
  expect_product(d, c, a, b, 16, 16, 1e-5);
}

TEST(Fragment, ProductOfF16IsThatOfTheMatrices) {
  check_16_bit(
      normal_f16, [](float low, float high) { return pack_f16(low, high); },
      [](auto& d, auto& a, auto& b) { mma_f16(d, a, b); });
}

TEST(Fragment, ProductOfF16OfDepth8IsThatOfTheMatrices) {
  Matrix<float> a(16, 8), b(8, 8), c(16, 8), d(16, 8);
  a.fill(normal_f16);
  b.fill(normal_f16);
  c.fill(normal);
  run_warp([&] {
    unsigned fa[2];
    float fd[4];
    for (int i = 0; i < 2; ++i)
      fa[i] = pack_f16(a.at(a_m16k8_f16, 2 * i), a.at(a_m16k8_f16, 2 * i + 1));
    for (int i = 0; i < 4; ++i) fd[i] = c.at(c_m16n8, i);
    mma_f16_k8(fd, fa, pack_f16(b.at(b_k8n8_f16, 0), b.at(b_k8n8_f16, 1)));
    for (int i = 0; i < 4; ++i) d.at(c_m16n8, i) = fd[i];
  });
  expect_product(d, c, a, b, 16, 8, 1e-5);
}

TEST(Fragment, ProductOfBf16IsThatOfTheMatrices) {
  check_16_bit(
      normal_bf16, [](float low, float high) { return pack_bf16(low, high); },
      [](auto& d, auto& a, auto& b) { mma_bf16(d, a, b); });
}

TEST(Fragment, ProductOfTf32IgnoresTheLowBitsOfItsOperands) {
  Matrix<float> a(16, 8), b(8, 8), c(16, 8), d(16, 8);
  a.fill(normal_tf32);
  b.fill(normal_tf32);
  c.fill(normal);
  run_warp([&] {
    unsigned fa[4], fb[2];
    float fd[4];
    for (int i = 0; i < 4; ++i) fa[i] = std::bit_cast<unsigned>(a.at(a_m16k8, i)) | 0x1FFFu;
    for (int i = 0; i < 2; ++i) fb[i] = std::bit_cast<unsigned>(b.at(b_k8n8, i)) | 0x1234u;
    for (int i = 0; i < 4; ++i) fd[i] = c.at(c_m16n8, i);
    mma_tf32(fd, fa, fb);
    for (int i = 0; i < 4; ++i) d.at(c_m16n8, i) = fd[i];
  });
  expect_product(d, c, a, b, 16, 8, 1e-5);
}

TEST(Fragment, ProductOfF64IsThatOfTheMatrices) {
  Matrix<double> a(8, 4), b(4, 8), c(8, 8), d(8, 8);
  a.fill(normal);
  b.fill(normal);
  c.fill(normal);
  run_warp([&] {
    double fd[2] = {c.at(c_m8n8, 0), c.at(c_m8n8, 1)};
    mma_f64(fd, a.at(a_m8k4, 0), b.at(b_k4n8, 0));
    for (int i = 0; i < 2; ++i) d.at(c_m8n8, i) = fd[i];
  });
  expect_product(d, c, a, b, 8, 4, 1e-14);
}

/// Element (row, column) of the 8×8 matrix `index`, all different.
unsigned short marked(unsigned index, unsigned row, unsigned column) {
  return static_cast<unsigned short>(1000 * index + 10 * row + column);
}
unsigned marked_pair(unsigned index, unsigned row, unsigned column) {
  return marked(index, row, column) | static_cast<unsigned>(marked(index, row, column + 1)) << 16;
}
unsigned marked_pair_transposed(unsigned index, unsigned row, unsigned column) {
  return marked(index, column, row) | static_cast<unsigned>(marked(index, column + 1, row)) << 16;
}

/// Row j of matrix i at 16 bytes × (5·(8i + j) mod 32): rows may lie anywhere.
Shared<unsigned short> scattered_row(unsigned i, unsigned j) {
  return shared_memory().as<unsigned short>() + 8 * (5 * (8 * i + j) % 32);
}

void store_marked() {
  const unsigned i = lane_index() / 8, j = lane_index() % 8;
  for (unsigned column = 0; column < 8; ++column) {
    scattered_row(i, j).store(column, marked(i, j, column));
  }
  warp_barrier();
}

TEST(Fragment, LdmatrixReadsRowsThatLanesNameOfFourMatrices) {
  run_warp(
      [] {
        store_marked();
        unsigned plain[4], transposed[4];
        const auto row = scattered_row(lane_index() / 8, lane_index() % 8);
        ldmatrix_x4(plain, row);
        ldmatrix_x4_transposed(transposed, row);
        const unsigned g = lane_index() / 4, q = lane_index() % 4;
        for (unsigned i = 0; i < 4; ++i) {
          EXPECT_EQ(plain[i], marked_pair(i, g, 2 * q));
          EXPECT_EQ(transposed[i], marked_pair_transposed(i, g, 2 * q));
        }
      },
      512);
}

/// A row of matrix 0 or 1, and none that exists for the lanes whose addresses are not used.
Shared<unsigned short> row_of_two(unsigned lane) {
  return lane < 16 ? scattered_row(lane / 8, lane % 8)
                   : shared_memory().as<unsigned short>() + 99999;
}

TEST(Fragment, LdmatrixOfTwoMatricesIgnoresTheUpperLanesAddresses) {
  run_warp(
      [] {
        store_marked();
        unsigned plain[2], transposed[2];
        const unsigned lane = lane_index();
        ldmatrix_x2(plain, row_of_two(lane));
        ldmatrix_x2_transposed(transposed, row_of_two(lane));
        for (unsigned i = 0; i < 2; ++i) {
          EXPECT_EQ(plain[i], marked_pair(i, lane / 4, 2 * (lane % 4)));
          EXPECT_EQ(transposed[i], marked_pair_transposed(i, lane / 4, 2 * (lane % 4)));
        }
      },
      512);
}

/// Stores matrices from the fragments of `pair`, and expects in every row the marks.
template <unsigned kMatrices, class Store>
void check_matrix_store(unsigned (*pair)(unsigned, unsigned, unsigned), const Store& store) {
  run_warp(
      [&] {
        const unsigned lane = lane_index();
        unsigned r[kMatrices];
        for (unsigned i = 0; i < kMatrices; ++i) r[i] = pair(i, lane / 4, 2 * (lane % 4));
        store(kMatrices == 4 ? scattered_row(lane / 8, lane % 8) : row_of_two(lane), r);
        warp_barrier();
        for (unsigned column = 0; column < 8 && lane < 8 * kMatrices; ++column) {
          EXPECT_EQ(scattered_row(lane / 8, lane % 8).load(column),
                    marked(lane / 8, lane % 8, column));
        }
      },
      512);
}

TEST(Fragment, StmatrixWritesRowsThatLanesName) {
  check_matrix_store<2>(marked_pair, [](auto row, auto& r) { stmatrix_x2(row, r); });
  check_matrix_store<4>(marked_pair, [](auto row, auto& r) { stmatrix_x4(row, r); });
  check_matrix_store<2>(marked_pair_transposed,
                        [](auto row, auto& r) { stmatrix_x2_transposed(row, r); });
  check_matrix_store<4>(marked_pair_transposed,
                        [](auto row, auto& r) { stmatrix_x4_transposed(row, r); });
}

TEST(Fragment, OrdinaryStoresWriteWhatStmatrixWrites) {
  check_matrix_store<2>(marked_pair, [](auto row, auto& r) { store_matrices<false>(row, r); });
  check_matrix_store<4>(marked_pair, [](auto row, auto& r) { store_matrices<false>(row, r); });
  check_matrix_store<2>(marked_pair_transposed,
                        [](auto row, auto& r) { store_matrices<true>(row, r); });
  check_matrix_store<4>(marked_pair_transposed,
                        [](auto row, auto& r) { store_matrices<true>(row, r); });
}

TEST(Fragment, ShufflesCarryEveryType) {
  run_warp([] {
    const unsigned lane = lane_index(), other = (lane + 5) % 32;
    EXPECT_EQ(shuffle(100 + lane, other), 100 + other);
    EXPECT_EQ(shuffle(0.5f + static_cast<float>(lane), other), 0.5f + static_cast<float>(other));
    EXPECT_EQ(shuffle(1e300 * lane, other), 1e300 * other);
    EXPECT_EQ(shuffle_xor(lane, 9), lane ^ 9);
    EXPECT_EQ(shuffle_xor(1e300 * lane, 31), 1e300 * (lane ^ 31));
  });
}

}  // namespace
}  // namespace ito::cuda
