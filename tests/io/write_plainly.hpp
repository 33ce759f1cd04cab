#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

namespace ito {

/// Without the wait for the disk that a careful write takes, for tests of thousands of files.
inline void write_plainly(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace ito
