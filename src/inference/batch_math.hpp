#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include <xsimd/xsimd.hpp>

#include "kernels/arithmetic/math.cuh"

// The shared arithmetic over vectors of the instruction set that this library is compiled for.
namespace ito {

template <class Real>
struct Math<xsimd::batch<Real>> {
  using Batch = xsimd::batch<Real>;
  static Batch exp(const Batch& x) { return xsimd::exp(x); }
  static Batch log(const Batch& x) { return xsimd::log(x); }
  static Batch log1p(const Batch& x) { return xsimd::log1p(x); }
  static Batch tanh(const Batch& x) { return xsimd::tanh(x); }
  static Batch sqrt(const Batch& x) { return xsimd::sqrt(x); }
  static Batch abs(const Batch& x) { return xsimd::abs(x); }
  static Batch max(const Batch& a, const Batch& b) { return xsimd::max(a, b); }
  static Batch select(const typename Batch::batch_bool_type& condition, const Batch& yes,
                      const Batch& no) {
    return xsimd::select(condition, yes, no);
  }
};

/// `count` numbers, up to a vector of them, as Real, and zeros after them.
template <class Real, class Number>
xsimd::batch<Real> load_some_as(const Number* from, std::size_t count) {
  using Batch = xsimd::batch<Real>;
  if (count == Batch::size) return Batch::load_unaligned(from);
  std::array<Real, Batch::size> numbers{};
  std::copy_n(from, count, numbers.begin());
  return Batch::load_unaligned(numbers.data());
}
template <class Real>
xsimd::batch<Real> load_some(const Real* from, std::size_t count) {
  return load_some_as<Real>(from, count);
}

template <class Real>
void store_some(const xsimd::batch<Real>& batch, Real* to, std::size_t count) {
  if (count == xsimd::batch<Real>::size) return batch.store_unaligned(to);
  std::array<Real, xsimd::batch<Real>::size> numbers;
  batch.store_unaligned(numbers.data());
  std::copy_n(numbers.begin(), count, to);
}

/// body(begin, count) for the vectors of a row of `size` numbers; the last may have fewer.
template <class Real, class Body>
void for_each_vector(std::size_t size, const Body& body) {
  constexpr std::size_t lanes = xsimd::batch<Real>::size;
  for (std::size_t begin = 0; begin < size; begin += lanes)
    body(begin, std::min(lanes, size - begin));
}

}  // namespace ito
