// What one memory instruction moves besides a number.
#pragma once

namespace ito::cuda {

/// 16 bytes in one access, for 4-byte T.
template <class T>
struct alignas(16) Quad {
  static_assert(sizeof(T) == 4, "a Quad is 16 bytes");
  T v[4];
};

template <class T>
struct alignas(2 * sizeof(T)) Pair {
  T v[2];
};

}  // namespace ito::cuda
