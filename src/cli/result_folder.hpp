#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace ito::cli {

/// A folder for results, made before the long work begins. What of it was made and has nothing in
/// it goes again with the object.
class ResultFolder {
 public:
  explicit ResultFolder(std::filesystem::path folder);
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  /// Creates the folder where it is missing and throws ito::Error, which names `option`, unless it
  /// takes new files.
  void make(std::string_view option) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> missing_;  ///< on the way to it at first, innermost first
};

}  // namespace ito::cli
