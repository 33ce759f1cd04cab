#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

namespace ito {

/// Several arrays in one block of bytes, each aligned.
class Image {
 public:
  template <class T>
  std::size_t add(const std::vector<T>& values) {
    const std::size_t begin = (bytes_.size() + 63) / 64 * 64;
    bytes_.resize(begin + values.size() * sizeof(T));
    if (!values.empty())
      std::memcpy(bytes_.data() + begin, values.data(), values.size() * sizeof(T));
    return begin;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace ito
