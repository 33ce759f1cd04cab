// The asynchronous matrix product of sm_90a: four warps, a warpgroup, multiply a 64×16 matrix in
// registers or in shared memory by one in shared memory, and go on while it runs.
//
//     wgmma_fence(d, a);                 // names the registers that the products use
//     wgmma_f16(d, a, b, false);         // d = a·b, in the background
//     wgmma_f16(d, a_low, b, true);      // d += …
//     wgmma_commit();                    // closes a group of products
//     wgmma_wait<0>(d);                  // until at most 0 groups run; names what is read now
//
// From the fence to the wait the registers stay as they are: d is not read, and neither is written
// or goes out of scope. Shared memory that ordinary stores have written takes a proxy_fence() by
// those who wrote it, then a barrier, before a product reads it; and a barrier after the wait
// before it is written again. docs/kernels.md, "Fragments", has the layouts.
#pragma once

#include "kernels/device/device.cuh"

namespace ito::cuda {

/// A matrix of f16 in shared memory, as `wgmma_f16` takes it.
struct MatrixDescriptor {
  unsigned long long bits;

  /// The matrix that begins so many bytes, a multiple of 16, further on.
  ITO_DEVICE MatrixDescriptor operator+(unsigned bytes) const { return {bits + bytes / 16}; }

  /// Strides in bytes, multiples of 16.
  ITO_DEVICE static MatrixDescriptor of(unsigned address, unsigned leading, unsigned stride,
                                        unsigned long long swizzle) {
    return {static_cast<unsigned long long>((address & 0x3FFFFu) >> 4) |
            static_cast<unsigned long long>(leading >> 4) << 16 |
            static_cast<unsigned long long>(stride >> 4) << 32 | swizzle << 62};
  }
};

}  // namespace ito::cuda

#ifndef __CUDACC__
#include "kernels/emulated/wgmma.hpp"
#else

namespace ito::cuda {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
inline constexpr bool has_wgmma = true;
#else
inline constexpr bool has_wgmma = false;
#endif
template <bool>
inline constexpr bool has_wgmma_for = has_wgmma;

/// A matrix in cores of 8×8 elements, 128 bytes each: `k_stride` bytes from a core to the next
/// along the index that the product sums over, `x_stride` along the rows of A or the columns of B.
ITO_DEVICE MatrixDescriptor matrix_descriptor(Shared<const unsigned short> matrix,
                                              unsigned k_stride, unsigned x_stride) {
  return MatrixDescriptor::of(matrix.address(), k_stride, x_stride, 0);
}

/// A matrix in rows of 128 bytes, of which every eight, 1024 bytes on a multiple of 1024, are
/// swizzled: bits 4 to 6 of an element's address ^= bits 7 to 9. A row is 64 elements along k,
/// `x_stride` bytes from eight rows to the next.
ITO_DEVICE MatrixDescriptor swizzled_descriptor(Shared<const unsigned short> matrix,
                                                unsigned x_stride) {
  return MatrixDescriptor::of(matrix.address(), 16, x_stride, 1);
}

/// The same with rows of 64 elements along x: `k_stride` from eight rows to the next, `x_stride`
/// from 64 elements to the next.
ITO_DEVICE MatrixDescriptor swizzled_descriptor_transposed(Shared<const unsigned short> matrix,
                                                           unsigned k_stride, unsigned x_stride) {
  return MatrixDescriptor::of(matrix.address(), x_stride, k_stride, 1);
}

namespace ptx {

// The compiler moves no use of a register across these.
ITO_DEVICE void hold(float& x) { asm volatile("" : "+f"(x)::"memory"); }
ITO_DEVICE void hold(unsigned& x) { asm volatile("" : "+r"(x)::"memory"); }
ITO_DEVICE void hold(const unsigned& x) { asm volatile("" ::"r"(x) : "memory"); }
template <class T, unsigned kCount>
ITO_DEVICE void hold(T (&x)[kCount]) {
  ITO_UNROLL for (unsigned i = 0; i < kCount; ++i) hold(x[i]);
}

}  // namespace ptx

/// What this warp has written to shared memory, and what barriers have shown it, is there for
/// products that it, or whoever meets it at a barrier, starts.
ITO_DEVICE void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// `registers`: up to four arrays, of arrays too, that the next products use, but not those that
/// products under way write.
template <class... Registers>
ITO_DEVICE void wgmma_fence(Registers&... registers) {
  (ptx::hold(registers), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

ITO_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Returns when at most `kPending` groups, the last, are under way. `registers`: accumulators of
/// products that are done, which may be used from here on.
template <int kPending, class... Registers>
ITO_DEVICE void wgmma_wait(Registers&... registers) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  (ptx::hold(registers), ...);
}

#define ITO_D4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define ITO_D_8(d) ITO_D4(d, 0)
#define ITO_D_16(d) ITO_D_8(d), ITO_D4(d, 4)
#define ITO_D_24(d) ITO_D_16(d), ITO_D4(d, 8)
#define ITO_D_32(d) ITO_D_24(d), ITO_D4(d, 12)
#define ITO_D_40(d) ITO_D_32(d), ITO_D4(d, 16)
#define ITO_D_48(d) ITO_D_40(d), ITO_D4(d, 20)
#define ITO_D_56(d) ITO_D_48(d), ITO_D4(d, 24)
#define ITO_D_64(d) ITO_D_56(d), ITO_D4(d, 28)
#define ITO_D_72(d) ITO_D_64(d), ITO_D4(d, 32)
#define ITO_D_80(d) ITO_D_72(d), ITO_D4(d, 36)
#define ITO_D_88(d) ITO_D_80(d), ITO_D4(d, 40)
#define ITO_D_96(d) ITO_D_88(d), ITO_D4(d, 44)
#define ITO_D_104(d) ITO_D_96(d), ITO_D4(d, 48)
#define ITO_D_112(d) ITO_D_104(d), ITO_D4(d, 52)
#define ITO_D_120(d) ITO_D_112(d), ITO_D4(d, 56)
#define ITO_D_128(d) ITO_D_120(d), ITO_D4(d, 60)

#define ITO_R_8 "%0,%1,%2,%3"
#define ITO_R_16 ITO_R_8 ",%4,%5,%6,%7"
#define ITO_R_24 ITO_R_16 ",%8,%9,%10,%11"
#define ITO_R_32 ITO_R_24 ",%12,%13,%14,%15"
#define ITO_R_40 ITO_R_32 ",%16,%17,%18,%19"
#define ITO_R_48 ITO_R_40 ",%20,%21,%22,%23"
#define ITO_R_56 ITO_R_48 ",%24,%25,%26,%27"
#define ITO_R_64 ITO_R_56 ",%28,%29,%30,%31"
#define ITO_R_72 ITO_R_64 ",%32,%33,%34,%35"
#define ITO_R_80 ITO_R_72 ",%36,%37,%38,%39"
#define ITO_R_88 ITO_R_80 ",%40,%41,%42,%43"
#define ITO_R_96 ITO_R_88 ",%44,%45,%46,%47"
#define ITO_R_104 ITO_R_96 ",%48,%49,%50,%51"
#define ITO_R_112 ITO_R_104 ",%52,%53,%54,%55"
#define ITO_R_120 ITO_R_112 ",%56,%57,%58,%59"
#define ITO_R_128 ITO_R_120 ",%60,%61,%62,%63"

/// For N columns, whose N / 2 registers of D are the first operands of the assembly, n0 … those
/// after them. Both: D = A·B + (add ? D : 0), 64×N = 64×16 · 16×N, in f16; columns are a multiple
/// of 8 to 128, which the size of d says. Warp w of a warpgroup has rows 16w to 16w + 15: of D in N
/// / 8 tiles, of A as m16n8k16 takes it.
#define ITO_WGMMA(N, n0, n1, n2, n3, n4, n5, n6)                                                  \
  template <bool kTransposedB = false>                                                            \
  ITO_DEVICE void wgmma_f16(float(&d)[N / 2], const unsigned(&a)[4], MatrixDescriptor b,          \
                            bool add) {                                                           \
    static_assert(has_wgmma_for<kTransposedB>, "wgmma is an instruction of sm_90a alone");        \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #n5                                         \
                 ", 0;\n"                                                                         \
                 "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.f16.f16 {" ITO_R_##N             \
                 "}, {%" #n0 ",%" #n1 ",%" #n2 ",%" #n3 "}, %" #n4 ", p, 1, 1, %" #n6 ";\n}"      \
                 : ITO_D_##N(d)                                                                   \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.bits),                       \
                   "r"(static_cast<int>(add)), "n"(static_cast<int>(kTransposedB))                \
                 : "memory");                                                                     \
  }                                                                                               \
  template <bool kTransposedA = false, bool kTransposedB = false>                                 \
  ITO_DEVICE void wgmma_f16(float(&d)[N / 2], MatrixDescriptor a, MatrixDescriptor b, bool add) { \
    static_assert(has_wgmma_for<kTransposedB>, "wgmma is an instruction of sm_90a alone");        \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #n2                                         \
                 ", 0;\n"                                                                         \
                 "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.f16.f16 {" ITO_R_##N             \
                 "}, %" #n0 ", %" #n1 ", p, 1, 1, %" #n3 ", %" #n4 ";\n}"                         \
                 : ITO_D_##N(d)                                                                   \
                 : "l"(a.bits), "l"(b.bits), "r"(static_cast<int>(add)),                          \
                   "n"(static_cast<int>(kTransposedA)), "n"(static_cast<int>(kTransposedB))       \
                 : "memory");                                                                     \
  }

ITO_WGMMA(8, 4, 5, 6, 7, 8, 9, 10)
ITO_WGMMA(16, 8, 9, 10, 11, 12, 13, 14)
ITO_WGMMA(24, 12, 13, 14, 15, 16, 17, 18)
ITO_WGMMA(32, 16, 17, 18, 19, 20, 21, 22)
ITO_WGMMA(40, 20, 21, 22, 23, 24, 25, 26)
ITO_WGMMA(48, 24, 25, 26, 27, 28, 29, 30)
ITO_WGMMA(56, 28, 29, 30, 31, 32, 33, 34)
ITO_WGMMA(64, 32, 33, 34, 35, 36, 37, 38)
ITO_WGMMA(72, 36, 37, 38, 39, 40, 41, 42)
ITO_WGMMA(80, 40, 41, 42, 43, 44, 45, 46)
ITO_WGMMA(88, 44, 45, 46, 47, 48, 49, 50)
ITO_WGMMA(96, 48, 49, 50, 51, 52, 53, 54)
ITO_WGMMA(104, 52, 53, 54, 55, 56, 57, 58)
ITO_WGMMA(112, 56, 57, 58, 59, 60, 61, 62)
ITO_WGMMA(120, 60, 61, 62, 63, 64, 65, 66)
ITO_WGMMA(128, 64, 65, 66, 67, 68, 69, 70)

}  // namespace ito::cuda

#endif
