// The vocabulary kernels are written in. On the device these are CUDA's own names and the
// instructions of ptx.cuh; the tests have the same vocabulary on the host
// ("kernels/emulated/device.hpp"), where every access to shared memory and every collective is
// checked. Collectives are for whole warps. Shuffles, mma and the matrix moves synchronise a warp
// but do not order its memory: only barriers do.
#pragma once

#ifndef __CUDACC__
#include "kernels/emulated/device.hpp"
#else

#include "kernels/device/ptx.cuh"
#include "kernels/device/vectors.cuh"

#define ITO_UNROLL _Pragma("unroll")

/// A kernel of at most `threads` threads a block, of which the registers of a multiprocessor are to
/// hold `blocks`; its body follows and uses `arguments`.
#define ITO_KERNEL_OF(name, Arguments, threads, blocks)         \
  extern "C" __global__ void __launch_bounds__(threads, blocks) \
      name(const __grid_constant__ Arguments arguments)
/// The 1 asks for no second block: without it ptxas spills a few registers to make room for one.
#define ITO_KERNEL(name, Arguments, threads) ITO_KERNEL_OF(name, Arguments, threads, 1)

namespace ito::cuda {

ITO_DEVICE unsigned thread_index() { return threadIdx.x; }
ITO_DEVICE unsigned block_index() { return blockIdx.x; }
ITO_DEVICE unsigned block_size() { return blockDim.x; }
ITO_DEVICE unsigned grid_size() { return gridDim.x; }
ITO_DEVICE unsigned lane_index() { return threadIdx.x % 32; }
ITO_DEVICE unsigned warp_index() { return threadIdx.x / 32; }

ITO_DEVICE void block_barrier() { __syncthreads(); }
/// Nothing is read before this that is read after it: what a loop reads in every turn does not pile
/// up in registers before the first.
ITO_DEVICE void read_again() { asm volatile("" ::: "memory"); }
/// A block_barrier that tells every thread whether `value` holds for any.
ITO_DEVICE bool block_any(bool value) { return __syncthreads_or(value) != 0; }
ITO_DEVICE void warp_barrier() { __syncwarp(); }
/// Of `threads` threads of the block, all of those whose warps come here: whole warps, and the same
/// ones for the same `id` from one `block_barrier` to the next. `id`: 1 to 15.
ITO_DEVICE void named_barrier(unsigned id, unsigned threads) { ptx::named_barrier(id, threads); }

inline constexpr unsigned whole_warp = 0xFFFFFFFFu;

/// The value of lane `lane`, for T in unsigned, float, double.
template <class T>
ITO_DEVICE T shuffle(T value, unsigned lane) {
  return __shfl_sync(whole_warp, value, static_cast<int>(lane));
}
/// The value of lane `lane_index() ^ mask`.
template <class T>
ITO_DEVICE T shuffle_xor(T value, unsigned mask) {
  return __shfl_xor_sync(whole_warp, value, static_cast<int>(mask));
}

template <class, class>
inline constexpr bool same_type = false;
template <class T>
inline constexpr bool same_type<T, T> = true;

/// Dynamic shared memory from some element on. `load` and `store` take an element's index.
template <class T>
class Shared {
 public:
  ITO_DEVICE explicit Shared(T* pointer) : pointer_(pointer) {}
  template <class U>
  requires(same_type<const U, T>) ITO_DEVICE Shared(Shared<U> writable)
      : pointer_(writable.pointer_) {}
  ITO_DEVICE T load(unsigned i) const { return pointer_[i]; }
  ITO_DEVICE void store(unsigned i, T value) const { pointer_[i] = value; }
  ITO_DEVICE Shared operator+(unsigned elements) const { return Shared(pointer_ + elements); }
  template <class U>
  ITO_DEVICE Shared<U> as() const {
    return Shared<U>(reinterpret_cast<U*>(pointer_));
  }
  ITO_DEVICE unsigned address() const { return ptx::shared_address(pointer_); }
  /// In bytes, from the start of `shared_memory()`.
  ITO_DEVICE unsigned offset() const;

 private:
  template <class>
  friend class Shared;
  T* pointer_;
};

/// All of the block's dynamic shared memory, from a multiple of 1024 on, as swizzled matrices of
/// wgmma.cuh need it.
ITO_DEVICE Shared<unsigned char> shared_memory() {
  extern __shared__ __align__(1024) unsigned char ito_shared_memory[];
  return Shared<unsigned char>(ito_shared_memory);
}

template <class T>
ITO_DEVICE unsigned Shared<T>::offset() const {
  return address() - shared_memory().address();
}

/// 8×8 matrices of 16-bit elements: lane 8i + j gives the address of row j of matrix i (16 bytes,
/// aligned), and gets in r[i] elements (g, 2q) and (g, 2q+1) of the matrix, or of its transpose.
ITO_DEVICE void ldmatrix_x2(unsigned (&r)[2], Shared<const unsigned short> row) {
  ptx::ldmatrix_x2(r, row.address());
}
ITO_DEVICE void ldmatrix_x4(unsigned (&r)[4], Shared<const unsigned short> row) {
  ptx::ldmatrix_x4(r, row.address());
}
ITO_DEVICE void ldmatrix_x2_transposed(unsigned (&r)[2], Shared<const unsigned short> row) {
  ptx::ldmatrix_x2_transposed(r, row.address());
}
ITO_DEVICE void ldmatrix_x4_transposed(unsigned (&r)[4], Shared<const unsigned short> row) {
  ptx::ldmatrix_x4_transposed(r, row.address());
}

/// Adds to a counter in global memory and gives what it was.
ITO_DEVICE unsigned atomic_add(unsigned* counter, unsigned one) { return atomicAdd(counter, one); }
/// What this thread has written, and what barriers have shown it, is written before what it writes
/// next; likewise for reads.
ITO_DEVICE void device_fence() { __threadfence(); }

/// From memory that nothing writes while the kernel runs.
template <class T>
ITO_DEVICE T load_read_only(const T* pointer) {
  return __ldg(pointer);
}
template <class T>
ITO_DEVICE Quad<T> load_read_only(const Quad<T>* pointer) {
  return __builtin_bit_cast(Quad<T>, __ldg(reinterpret_cast<const uint4*>(pointer)));
}
ITO_DEVICE Pair<float> load_read_only(const Pair<float>* pointer) {
  return __builtin_bit_cast(Pair<float>, __ldg(reinterpret_cast<const float2*>(pointer)));
}
ITO_DEVICE Pair<double> load_read_only(const Pair<double>* pointer) {
  return __builtin_bit_cast(Pair<double>, __ldg(reinterpret_cast<const double2*>(pointer)));
}

/// *word = max(*word, value), whatever other threads do.
ITO_DEVICE void atomic_max(unsigned* word, unsigned value) {
  if (value > *static_cast<volatile unsigned*>(word)) atomicMax(word, value);
}

ITO_DEVICE float bits_float(unsigned bits) { return __uint_as_float(bits); }
ITO_DEVICE unsigned float_bits(float value) { return __float_as_uint(value); }

ITO_DEVICE Pair<float> unpack_bf16(unsigned pair) {
  return {bits_float(pair << 16), bits_float(pair & 0xFFFF0000u)};
}
ITO_DEVICE Pair<float> unpack_f16(unsigned pair) {
  return {f16_value(pair), f16_value(pair >> 16)};
}

}  // namespace ito::cuda

#endif

#include "kernels/arithmetic/math.cuh"

namespace ito::cuda {

// Short names for the numbers of kernels.
template <class Number>
ITO_DEVICE Number exp(Number x) {
  return Math<Number>::exp(x);
}
template <class Number>
ITO_DEVICE Number sqrt(Number x) {
  return Math<Number>::sqrt(x);
}
template <class Number>
ITO_DEVICE Number fma(Number a, Number b, Number c) {
  return Math<Number>::fma(a, b, c);
}

/// 1/x; of a float within an ulp.
ITO_DEVICE float reciprocal(float x) { return reciprocal_fast(x); }
ITO_DEVICE double reciprocal(double x) { return 1 / x; }

/// The index of this thread in the launch.
ITO_DEVICE unsigned long long global_index() {
  return static_cast<unsigned long long>(block_index()) * block_size() + thread_index();
}

template <class Number>
ITO_DEVICE bool is_finite(Number value) {
  return value - value == Number(0);
}

/// What stmatrix does, by the instructions that every architecture has.
template <bool kTransposed, unsigned kMatrices>
ITO_DEVICE void store_matrices(Shared<unsigned short> row, const unsigned (&r)[kMatrices]) {
  const unsigned g = lane_index() / 4, q = lane_index() % 4;
  const auto row_of = [&](unsigned i, unsigned j) {
    return shared_memory() + shuffle(row.offset(), 8 * i + j);
  };
  ITO_UNROLL for (unsigned i = 0; i < kMatrices; ++i) {
    if constexpr (kTransposed) {
      ITO_UNROLL for (unsigned high = 0; high < 2; ++high) {
        row_of(i, 2 * q + high)
            .template as<unsigned short>()
            .store(g, static_cast<unsigned short>(r[i] >> 16 * high));
      }
    } else {
      row_of(i, g).template as<unsigned>().store(q, r[i]);
    }
  }
}

#ifdef __CUDACC__

/// Whether stmatrix is one instruction.
#if __CUDA_ARCH__ >= 900
inline constexpr bool has_stmatrix = true;
#else
inline constexpr bool has_stmatrix = false;
#endif

/// The stores that ldmatrix of the same rows undoes. All rows are different.
template <bool kTransposed, unsigned kMatrices>
ITO_DEVICE void stmatrix(Shared<unsigned short> row, const unsigned (&r)[kMatrices]) {
#if __CUDA_ARCH__ >= 900
  if constexpr (kTransposed) {
    ptx::stmatrix_transposed(row.address(), r);
  } else {
    ptx::stmatrix(row.address(), r);
  }
#else
  store_matrices<kTransposed>(row, r);
#endif
}
ITO_DEVICE void stmatrix_x2(Shared<unsigned short> row, const unsigned (&r)[2]) {
  stmatrix<false>(row, r);
}
ITO_DEVICE void stmatrix_x4(Shared<unsigned short> row, const unsigned (&r)[4]) {
  stmatrix<false>(row, r);
}
ITO_DEVICE void stmatrix_x2_transposed(Shared<unsigned short> row, const unsigned (&r)[2]) {
  stmatrix<true>(row, r);
}
ITO_DEVICE void stmatrix_x4_transposed(Shared<unsigned short> row, const unsigned (&r)[4]) {
  stmatrix<true>(row, r);
}

#endif

}  // namespace ito::cuda
