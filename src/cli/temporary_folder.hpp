#pragma once

#include <filesystem>

#include "cli/interrupt.hpp"

namespace ito::cli {

/// A folder of our own under the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder();  ///< Throws ito::Error.
  ~TemporaryFolder() { remove(); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() noexcept;

  std::filesystem::path path_;
  OnInterrupt on_interrupt_;
};

}  // namespace ito::cli
