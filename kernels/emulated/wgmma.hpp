// The vocabulary of kernels/device/wgmma.cuh on the host, which includes this. A product is
// computed when wgmma_wait ends it, from shared memory as it is then; until a wait names them, its
// accumulators are NaNs. Each step is checked: that a fence has named the registers and they have
// not changed since, that ordinary stores are fenced and ordered before the products that read them
// and after those that have, that nothing but a product writes accumulators, and that every product
// is waited for.
#pragma once

#include "kernels/emulated/device.hpp"

namespace ito::cuda::simt {

/// A product, but for its registers.
struct WgmmaForm {
  unsigned columns;
  bool a_in_registers, a_transposed, b_transposed, add;
  unsigned long long a, b;  ///< descriptors
};

struct RegisterRange {
  void* begin;
  unsigned long bytes;
};

/// The bits of a descriptor; faults where a field does not hold its number.
unsigned long long descriptor(unsigned offset, unsigned leading, unsigned stride, bool swizzled,
                              Site site);
void proxy_fence(Site site);
void wgmma_fence(const RegisterRange (&registers)[4], Site site);
void wgmma(Operands operands, Site site);  ///< result: D; a: A or null; b: a WgmmaForm
void wgmma_commit(Site site);
void wgmma_wait(unsigned pending, const RegisterRange (&registers)[4], Site site);

/// Stands for no array.
struct NoRegisters {};
inline NoRegisters no_registers;

template <class T>
RegisterRange range_of(T& registers) {
  if constexpr (std::is_same_v<T, NoRegisters>) {
    return {nullptr, 0};
  } else {
    static_assert(std::is_array_v<T>, "registers are arrays of float or unsigned");
    using Number = std::remove_cv_t<std::remove_all_extents_t<T>>;
    static_assert(std::is_same_v<Number, float> || std::is_same_v<Number, unsigned>);
    return {const_cast<Number*>(reinterpret_cast<const Number*>(&registers)), sizeof registers};
  }
}

}  // namespace ito::cuda::simt

namespace ito::cuda {

inline constexpr bool has_wgmma = true;

inline MatrixDescriptor matrix_descriptor(Shared<const unsigned short> matrix, unsigned k_stride,
                                          unsigned x_stride,
                                          simt::Site site = simt::Site::current()) {
  return {simt::descriptor(matrix.offset(), k_stride, x_stride, false, site)};
}
inline MatrixDescriptor swizzled_descriptor(Shared<const unsigned short> matrix, unsigned x_stride,
                                            simt::Site site = simt::Site::current()) {
  return {simt::descriptor(matrix.offset(), 16, x_stride, true, site)};
}
inline MatrixDescriptor swizzled_descriptor_transposed(Shared<const unsigned short> matrix,
                                                       unsigned k_stride, unsigned x_stride,
                                                       simt::Site site = simt::Site::current()) {
  return {simt::descriptor(matrix.offset(), x_stride, k_stride, true, site)};
}

inline void proxy_fence(simt::Site site = simt::Site::current()) { simt::proxy_fence(site); }

template <class A = simt::NoRegisters, class B = simt::NoRegisters, class C = simt::NoRegisters,
          class D = simt::NoRegisters>
inline void wgmma_fence(A& a = simt::no_registers, B& b = simt::no_registers,
                        C& c = simt::no_registers, D& d = simt::no_registers,
                        simt::Site site = simt::Site::current()) {
  simt::wgmma_fence({simt::range_of(a), simt::range_of(b), simt::range_of(c), simt::range_of(d)},
                    site);
}

template <bool kTransposedB = false, unsigned kCount>
inline void wgmma_f16(float (&d)[kCount], const unsigned (&a)[4], MatrixDescriptor b, bool add,
                      simt::Site site = simt::Site::current()) {
  static_assert(kCount % 4 == 0 && kCount <= 64, "columns are a multiple of 8 to 128");
  const simt::WgmmaForm form{2 * kCount, true, false, kTransposedB, add, 0, b.bits};
  simt::wgmma({d, a, &form, 0}, site);
}
template <bool kTransposedA = false, bool kTransposedB = false, unsigned kCount>
inline void wgmma_f16(float (&d)[kCount], MatrixDescriptor a, MatrixDescriptor b, bool add,
                      simt::Site site = simt::Site::current()) {
  static_assert(kCount % 4 == 0 && kCount <= 64, "columns are a multiple of 8 to 128");
  const simt::WgmmaForm form{2 * kCount, false, kTransposedA, kTransposedB, add, a.bits, b.bits};
  simt::wgmma({d, nullptr, &form, 0}, site);
}

inline void wgmma_commit(simt::Site site = simt::Site::current()) { simt::wgmma_commit(site); }

template <int kPending, class A = simt::NoRegisters, class B = simt::NoRegisters,
          class C = simt::NoRegisters, class D = simt::NoRegisters>
inline void wgmma_wait(A& a = simt::no_registers, B& b = simt::no_registers,
                       C& c = simt::no_registers, D& d = simt::no_registers,
                       simt::Site site = simt::Site::current()) {
  static_assert(0 <= kPending && kPending <= 7);
  simt::wgmma_wait(
      kPending, {simt::range_of(a), simt::range_of(b), simt::range_of(c), simt::range_of(d)}, site);
}

}  // namespace ito::cuda
