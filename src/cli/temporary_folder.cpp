#include "cli/temporary_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <ito/error.hpp>

namespace ito::cli {

TemporaryFolder::TemporaryFolder() : on_interrupt_([this] { remove(); }) {
  const auto held = hold_interrupts();
  std::string name = (std::filesystem::temp_directory_path() / "ito-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw Error(fmt::format("{}: cannot create ({}); set TMPDIR to a folder with room", name,
                            std::strerror(errno)));
  path_ = name;
}

void TemporaryFolder::remove() noexcept {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ito::cli
