// The vocabulary kernels are written in. On the device these are CUDA's own names and the
// instructions of ptx.cuh; the tests have the same vocabulary on the host
// ("kernels/emulated/device.hpp"), where every access to shared memory and every collective is
// checked. Collectives are for whole warps. Shuffles, mma and the matrix moves synchronise a warp
// but do not order its memory: only `warp_barrier` and `block_barrier` do.
#pragma once

#ifndef __CUDACC__
#include "kernels/emulated/device.hpp"
#else

#include "kernels/arithmetic/inline.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/vectors.cuh"

#define ITO_UNROLL _Pragma("unroll")

/// A kernel of at most `threads` threads a block; its body follows and uses `arguments`. The 1 asks
/// for no second block on a multiprocessor: without it ptxas spills a few registers to make room
/// for one.
#define ITO_KERNEL(name, Arguments, threads)               \
  extern "C" __global__ void __launch_bounds__(threads, 1) \
      name(const __grid_constant__ Arguments arguments)

namespace ito {

ITO_DEVICE unsigned thread_index() { return threadIdx.x; }
ITO_DEVICE unsigned block_index() { return blockIdx.x; }
ITO_DEVICE unsigned block_size() { return blockDim.x; }
ITO_DEVICE unsigned grid_size() { return gridDim.x; }
ITO_DEVICE unsigned lane_index() { return threadIdx.x % 32; }
ITO_DEVICE unsigned warp_index() { return threadIdx.x / 32; }

ITO_DEVICE void block_barrier() { __syncthreads(); }
ITO_DEVICE void warp_barrier() { __syncwarp(); }

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

 private:
  template <class>
  friend class Shared;
  T* pointer_;
};

/// All of the block's dynamic shared memory.
ITO_DEVICE Shared<unsigned char> shared_memory() {
  extern __shared__ __align__(16) unsigned char ito_shared_memory[];
  return Shared<unsigned char>(ito_shared_memory);
}

/// 8×8 matrices of 16-bit elements: lane 8i + j gives the address of row j of matrix i (16 bytes,
/// aligned), and gets in r[i] elements (g, 2q) and (g, 2q+1) of its transpose.
ITO_DEVICE void ldmatrix_x2_transposed(unsigned (&r)[2], Shared<const unsigned short> row) {
  ptx::ldmatrix_x2_transposed(r, row.address());
}
ITO_DEVICE void ldmatrix_x4_transposed(unsigned (&r)[4], Shared<const unsigned short> row) {
  ptx::ldmatrix_x4_transposed(r, row.address());
}

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

ITO_DEVICE unsigned multiply_high(unsigned a, unsigned b) { return __umulhi(a, b); }
ITO_DEVICE float bits_float(unsigned bits) { return __uint_as_float(bits); }

ITO_DEVICE Pair<float> unpack_bf16(unsigned pair) {
  return {bits_float(pair << 16), bits_float(pair & 0xFFFF0000u)};
}

ITO_DEVICE float exp(float x) { return ::expf(x); }
ITO_DEVICE float log(float x) { return ::logf(x); }
ITO_DEVICE float log1p(float x) { return ::log1pf(x); }
ITO_DEVICE float tanh(float x) { return ::tanhf(x); }
ITO_DEVICE float erf(float x) { return ::erff(x); }
ITO_DEVICE float sqrt(float x) { return ::sqrtf(x); }
ITO_DEVICE float abs(float x) { return ::fabsf(x); }
ITO_DEVICE float max(float a, float b) { return ::fmaxf(a, b); }
ITO_DEVICE float min(float a, float b) { return ::fminf(a, b); }
ITO_DEVICE float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
ITO_DEVICE float select(bool condition, float yes, float no) { return condition ? yes : no; }

ITO_DEVICE double exp(double x) { return ::exp(x); }
ITO_DEVICE double log(double x) { return ::log(x); }
ITO_DEVICE double log1p(double x) { return ::log1p(x); }
ITO_DEVICE double tanh(double x) { return ::tanh(x); }
ITO_DEVICE double erf(double x) { return ::erf(x); }
ITO_DEVICE double sqrt(double x) { return ::sqrt(x); }
ITO_DEVICE double abs(double x) { return ::fabs(x); }
ITO_DEVICE double max(double a, double b) { return ::fmax(a, b); }
ITO_DEVICE double min(double a, double b) { return ::fmin(a, b); }
ITO_DEVICE double fma(double a, double b, double c) { return ::fma(a, b, c); }
ITO_DEVICE double select(bool condition, double yes, double no) { return condition ? yes : no; }

}  // namespace ito

#endif

namespace ito {

/// The index of this thread in the launch.
ITO_DEVICE unsigned long long global_index() {
  return static_cast<unsigned long long>(block_index()) * block_size() + thread_index();
}

template <class Number>
ITO_DEVICE bool is_finite(Number value) {
  return value - value == Number(0);
}

}  // namespace ito
