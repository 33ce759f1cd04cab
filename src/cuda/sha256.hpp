#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ito {

/// SHA-256 (FIPS 180-4) of what is added, in parts of any length.
class Sha256 {
 public:
  Sha256& add(std::string_view bytes);
  /// Adds the length first, so that parts cannot run into each other.
  Sha256& add_part(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Nothing may be added afterwards.
  std::string digest();

 private:
  void block();

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_{};
  std::uint64_t length_ = 0;
};

}  // namespace ito
