#pragma once

#include <filesystem>

namespace ito::cli {

/// A folder of our own under the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder();  ///< Throws ito::Error.
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ito::cli
