// The vocabulary of kernels/device/device.cuh on the host, for kernels compiled by the C++
// compiler. A thread is a fiber; a warp's collective is computed when its last lane arrives; every
// access to shared memory is checked. What is not trivial lives in the library ito_simt, which the
// tests and the kernels share, so that a kernel compiles fast. Faults end the launch with an
// ito::Error.
#pragma once

#include <cmath>
#include <source_location>
#include <type_traits>

#include "kernels/arithmetic/inline.cuh"
#include "kernels/device/vectors.cuh"

#define ITO_UNROLL

/// Two symbols: `name` runs one thread, `name_bounds` says what a launch must keep to.
#define ITO_KERNEL(name, Arguments, threads)                                       \
  static void name##_body(const Arguments& arguments);                             \
  extern "C" __attribute__((visibility("default")))                                \
  ito::cuda::simt::KernelBounds name##_bounds() {                                  \
    return {threads, sizeof(Arguments)};                                           \
  }                                                                                \
  extern "C" __attribute__((visibility("default"))) void name(const void* bytes) { \
    name##_body(*static_cast<const Arguments*>(bytes));                            \
  }                                                                                \
  static void name##_body(const Arguments& arguments)
#define ITO_KERNEL_OF(name, Arguments, threads, blocks) ITO_KERNEL(name, Arguments, threads)

namespace ito::cuda::simt {

using Site = std::source_location;

struct KernelBounds {
  unsigned threads;
  unsigned long argument_bytes;
};

/// The running thread.
struct Position {
  unsigned thread, block, block_size, grid_size;
};
extern Position position;

/// The running block's dynamic shared memory.
struct SharedWindow {
  unsigned char* base;
  unsigned bytes;
  bool races;  ///< whether accesses are held against those of other threads
};
extern SharedWindow shared_window;

/// What one lane brings to a collective.
struct Operands {
  void* result;
  const void* a;
  const void* b;
  unsigned selector;
};

void block_barrier(Site site);
bool block_any(bool value, Site site);
void named_barrier(unsigned id, unsigned threads, Site site);
void warp_barrier(Site site);
void shuffle_words(Operands operands, Site site);    ///< result, a: unsigned; selector: the lane
void shuffle_doubles(Operands operands, Site site);  ///< result, a: double; selector: the lane
void mma_tf32(Operands operands, Site site);
void mma_f16(Operands operands, Site site);
void mma_f16_k8(Operands operands, Site site);
void mma_bf16(Operands operands, Site site);
void mma_f64(Operands operands, Site site);
/// a, result: unsigned[matrices]; selector: the offset of this lane's row in shared memory.
void ldmatrix(unsigned matrices, bool transposed, Operands operands, Site site);
void stmatrix(unsigned matrices, bool transposed, Operands operands, Site site);

unsigned to_tf32(float x);
unsigned pack_f16(float low, float high);
unsigned pack_bf16(float low, float high);
unsigned hfma2(unsigned a, unsigned b, unsigned c);
unsigned hmul2(unsigned a, unsigned b);
unsigned hmin2_nan(unsigned a, unsigned b);
unsigned hadd2(unsigned a, unsigned b);
inline float f16_value(unsigned half) {
  const unsigned sign = (half & 0x8000u) << 16, size = half & 0x7FFFu;
  const unsigned not_finite = 0x7F800000u | (size & 0x3FFu) << 13;
  const float scaled = __builtin_bit_cast(float, size << 13) * 0x1p112f;  // also of subnormals
  return __builtin_bit_cast(
      float, sign | (size >= 0x7C00u ? not_finite : __builtin_bit_cast(unsigned, scaled)));
}

[[noreturn]] void shared_fault(bool writes, unsigned long offset, unsigned bytes, Site site);
[[noreturn]] void global_fault(const void* address, unsigned bytes, Site site);
void note_read(unsigned offset, unsigned bytes, Site site);
void note_write(unsigned offset, unsigned bytes, Site site);

inline unsigned checked_offset(bool writes, unsigned offset, unsigned i, unsigned bytes,
                               unsigned alignment, Site site) {
  const unsigned long start = offset + static_cast<unsigned long>(i) * bytes;
  if (start + bytes > shared_window.bytes || start % alignment != 0) {
    shared_fault(writes, start, bytes, site);
  }
  return static_cast<unsigned>(start);
}

}  // namespace ito::cuda::simt

namespace ito::cuda {

inline unsigned thread_index() { return simt::position.thread; }
inline unsigned block_index() { return simt::position.block; }
inline unsigned block_size() { return simt::position.block_size; }
inline unsigned grid_size() { return simt::position.grid_size; }
inline unsigned lane_index() { return simt::position.thread % 32; }
inline unsigned warp_index() { return simt::position.thread / 32; }

inline void block_barrier(simt::Site site = simt::Site::current()) { simt::block_barrier(site); }
inline void read_again() {}
inline bool block_any(bool value, simt::Site site = simt::Site::current()) {
  return simt::block_any(value, site);
}
inline void named_barrier(unsigned id, unsigned threads, simt::Site site = simt::Site::current()) {
  simt::named_barrier(id, threads, site);
}
inline void warp_barrier(simt::Site site = simt::Site::current()) { simt::warp_barrier(site); }

template <class T>
inline T shuffle(T value, unsigned lane, simt::Site site = simt::Site::current()) {
  T result;
  if constexpr (sizeof(T) == 4) {
    simt::shuffle_words({&result, &value, nullptr, lane}, site);
  } else {
    simt::shuffle_doubles({&result, &value, nullptr, lane}, site);
  }
  return result;
}
template <class T>
inline T shuffle_xor(T value, unsigned mask, simt::Site site = simt::Site::current()) {
  return cuda::shuffle(value, lane_index() ^ mask, site);
}

template <class T>
class Shared {
 public:
  using Value = std::remove_const_t<T>;

  explicit Shared(unsigned offset) : offset_(offset) {}
  template <class U>
  requires(std::is_same_v<const U, T>) Shared(Shared<U> writable) : offset_(writable.offset()) {}

  T load(unsigned i, simt::Site site = simt::Site::current()) const {
    const unsigned start = simt::checked_offset(false, offset_, i, sizeof(T), alignof(T), site);
    if (simt::shared_window.races) simt::note_read(start, sizeof(T), site);
    Value value;
    __builtin_memcpy(&value, simt::shared_window.base + start, sizeof(T));
    return value;
  }
  void store(unsigned i, Value value, simt::Site site = simt::Site::current()) const
      requires(!std::is_const_v<T>) {
    const unsigned start = simt::checked_offset(true, offset_, i, sizeof(T), alignof(T), site);
    if (simt::shared_window.races) simt::note_write(start, sizeof(T), site);
    __builtin_memcpy(simt::shared_window.base + start, &value, sizeof(T));
  }
  Shared operator+(unsigned elements) const {
    return Shared(offset_ + elements * static_cast<unsigned>(sizeof(T)));
  }
  template <class U>
  Shared<U> as() const {
    return Shared<U>(offset_);
  }
  unsigned offset() const { return offset_; }

 private:
  unsigned offset_;
};

inline Shared<unsigned char> shared_memory() { return Shared<unsigned char>(0); }

inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     simt::Site site = simt::Site::current()) {
  simt::mma_tf32({d, a, b, 0}, site);
}
inline void mma_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                    simt::Site site = simt::Site::current()) {
  simt::mma_f16({d, a, b, 0}, site);
}
inline void mma_f16_k8(float (&d)[4], const unsigned (&a)[2], unsigned b,
                       simt::Site site = simt::Site::current()) {
  simt::mma_f16_k8({d, a, &b, 0}, site);
}
inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     simt::Site site = simt::Site::current()) {
  simt::mma_bf16({d, a, b, 0}, site);
}
inline void mma_f64(double (&d)[2], double a, double b, simt::Site site = simt::Site::current()) {
  simt::mma_f64({d, &a, &b, 0}, site);
}

inline void ldmatrix_x2(unsigned (&r)[2], Shared<const unsigned short> row,
                        simt::Site site = simt::Site::current()) {
  simt::ldmatrix(2, false, {r, nullptr, nullptr, row.offset()}, site);
}
inline void ldmatrix_x2_transposed(unsigned (&r)[2], Shared<const unsigned short> row,
                                   simt::Site site = simt::Site::current()) {
  simt::ldmatrix(2, true, {r, nullptr, nullptr, row.offset()}, site);
}
inline void ldmatrix_x4(unsigned (&r)[4], Shared<const unsigned short> row,
                        simt::Site site = simt::Site::current()) {
  simt::ldmatrix(4, false, {r, nullptr, nullptr, row.offset()}, site);
}
inline void ldmatrix_x4_transposed(unsigned (&r)[4], Shared<const unsigned short> row,
                                   simt::Site site = simt::Site::current()) {
  simt::ldmatrix(4, true, {r, nullptr, nullptr, row.offset()}, site);
}
inline constexpr bool has_stmatrix = true;
inline void stmatrix_x2(Shared<unsigned short> row, const unsigned (&r)[2],
                        simt::Site site = simt::Site::current()) {
  simt::stmatrix(2, false, {nullptr, r, nullptr, row.offset()}, site);
}
inline void stmatrix_x2_transposed(Shared<unsigned short> row, const unsigned (&r)[2],
                                   simt::Site site = simt::Site::current()) {
  simt::stmatrix(2, true, {nullptr, r, nullptr, row.offset()}, site);
}
inline void stmatrix_x4(Shared<unsigned short> row, const unsigned (&r)[4],
                        simt::Site site = simt::Site::current()) {
  simt::stmatrix(4, false, {nullptr, r, nullptr, row.offset()}, site);
}
inline void stmatrix_x4_transposed(Shared<unsigned short> row, const unsigned (&r)[4],
                                   simt::Site site = simt::Site::current()) {
  simt::stmatrix(4, true, {nullptr, r, nullptr, row.offset()}, site);
}

/// Blocks run one after the other, and of their threads one at a time.
inline unsigned atomic_add(unsigned* counter, unsigned one) {
  const unsigned before = *counter;
  *counter += one;
  return before;
}
inline void device_fence() {}

template <class T>
inline T load_read_only(const T* pointer, simt::Site site = simt::Site::current()) {
  if (reinterpret_cast<unsigned long>(pointer) % alignof(T) != 0) {
    simt::global_fault(pointer, sizeof(T), site);
  }
  return *pointer;
}

inline void atomic_max(unsigned* word, unsigned value) {
  if (value > *word) *word = value;
}

inline float bits_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
inline unsigned float_bits(float value) { return __builtin_bit_cast(unsigned, value); }

inline unsigned to_tf32(float x) { return simt::to_tf32(x); }
inline unsigned pack_f16(float low, float high) { return simt::pack_f16(low, high); }
inline unsigned pack_bf16(float low, float high) { return simt::pack_bf16(low, high); }
inline Pair<float> unpack_bf16(unsigned pair) {
  return {{bits_float(pair << 16), bits_float(pair & 0xFFFF0000u)}};
}
inline float f16_value(unsigned half) { return simt::f16_value(half & 0xFFFFu); }
inline Pair<float> unpack_f16(unsigned pair) { return {{f16_value(pair), f16_value(pair >> 16)}}; }

inline unsigned hfma2(unsigned a, unsigned b, unsigned c) { return simt::hfma2(a, b, c); }
inline unsigned hmul2(unsigned a, unsigned b) { return simt::hmul2(a, b); }
inline unsigned hmin2_nan(unsigned a, unsigned b) { return simt::hmin2_nan(a, b); }
inline unsigned hadd2(unsigned a, unsigned b) { return simt::hadd2(a, b); }
inline unsigned hneg2(unsigned a) { return a ^ 0x80008000u; }
inline unsigned habs2(unsigned a) { return a & 0x7FFF7FFFu; }

inline float tanh_fast(float x) { return std::tanh(x); }
inline float exp2_fast(float x) { return std::exp2(x); }
inline float log2_fast(float x) { return std::log2(x); }
inline float reciprocal_fast(float x) { return 1.0f / x; }
inline float sqrt_fast(float x) { return std::sqrt(x); }
inline float max_nan(float a, float b) { return a > b || a != a ? a : b; }
inline float min_nan(float a, float b) { return a < b || a != a ? a : b; }
inline float sin_fast(float x) { return std::sin(x); }
inline float cos_fast(float x) { return std::cos(x); }

}  // namespace ito::cuda
