// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC
// 2011).
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

/// Four words, each a 32-bit unsigned integer or a vector of them.
template <class Word>
struct PhiloxWords {
  Word word[4];
};

/// The high and low halves of a 32×32-bit product.
template <class Word>
struct WideProduct {
  Word high, low;
};

template <>
struct Math<unsigned> {
  ITO_INLINE static WideProduct<unsigned> multiply_wide(unsigned a, unsigned b) {
#ifdef __CUDACC__
    return {__umulhi(a, b), a * b};
#else
    const unsigned long long product = static_cast<unsigned long long>(a) * b;
    return {static_cast<unsigned>(product >> 32), static_cast<unsigned>(product)};
#endif
  }
};

/// Ten rounds on `counter` under the 64-bit key (key_low, key_high).
template <class Word>
ITO_INLINE PhiloxWords<Word> philox(PhiloxWords<Word> counter, unsigned key_low,
                                    unsigned key_high) {
  for (int round = 0; round < 10; ++round) {
    const WideProduct<Word> a = Math<Word>::multiply_wide(counter.word[0], 0xD2511F53u);
    const WideProduct<Word> b = Math<Word>::multiply_wide(counter.word[2], 0xCD9E8D57u);
    counter = {{b.high ^ counter.word[1] ^ Word(key_low), b.low,
                a.high ^ counter.word[3] ^ Word(key_high), a.low}};
    key_low += 0x9E3779B9u;  // Weyl sequences of the golden ratio and of √3 − 1
    key_high += 0xBB67AE85u;
  }
  return counter;
}

/// The noise contract's counter word for a path: two paths, 8 apart in a tile of 16, share one
/// call.
ITO_INLINE unsigned noise_counter(unsigned long long path) {
  return static_cast<unsigned>((path / 16) * 8 + path % 8);
}
/// Which pair of the four words a path takes: 0 for (r0, r1), 1 for (r2, r3).
ITO_INLINE unsigned noise_half(unsigned long long path) {
  return static_cast<unsigned>((path / 8) % 2);
}

}  // namespace ito
