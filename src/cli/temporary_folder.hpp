#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/interrupt.hpp"

namespace ito::cli {

/// A folder of our own under the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  /// Throws ito::Error.
  TemporaryFolder() : on_interrupt_([this] { remove(); }) {
    const auto held = hold_interrupts();
    std::string name = (std::filesystem::temp_directory_path() / "ito-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw Error(fmt::format("{}: cannot create ({}); set TMPDIR to a folder with room", name,
                              std::strerror(errno)));
    path_ = name;
  }
  ~TemporaryFolder() { remove(); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() noexcept {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path path_;
  OnInterrupt on_interrupt_;
};

}  // namespace ito::cli
