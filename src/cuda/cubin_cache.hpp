#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ito::cuda {

/// 32 hexadecimal digits: XXH3 in 128 bits. It tells texts apart, not somebody who means to
/// deceive.
std::string digest(std::string_view bytes);

/// Compiled kernels kept on the disk, a file each, so that a process finds what another compiled.
/// Nothing here fails: an entry that is missing, cut short or altered is not found, and one that
/// cannot be written is not kept. Entries appear whole, and may be deleted at any time.
/// Thread-safe, also between processes.
class CubinCache {
 public:
  /// Keeps nothing when `folder` is empty. The folder is made at the first entry.
  explicit CubinCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// ITO_CACHE_DIR, which may be empty; else XDG_CACHE_HOME/ito; else ~/.cache/ito; empty without
  /// a home.
  static std::filesystem::path default_folder();

  const std::filesystem::path& folder() const { return folder_; }
  /// A key is a file name.
  std::optional<std::string> load(const std::string& key) const;
  void store(const std::string& key, std::string_view cubin) const;
  /// Of all entries.
  std::uintmax_t bytes() const;
  /// Why no entry can be kept in the folder; empty where one can, and without a folder.
  std::string refusal() const;

 private:
  std::filesystem::path file(const std::string& key) const { return folder_ / (key + ".cubin"); }

  std::filesystem::path folder_;
};

}  // namespace ito::cuda
