#pragma once

#include <filesystem>

namespace ito::cli {

/// Where in the lock of a folder lies what a later run can go on with.
std::filesystem::path work_in(const std::filesystem::path& lock);

/// Moves it, without what was half-written, to the subfolder `unfinished` of the folder that `lock`
/// is of. First it goes to another name in the lock: a thread that still
/// writes then finds no folder. Nothing where there is no work. Throws ito::Error.
void keep_work(const std::filesystem::path& lock);

}  // namespace ito::cli
