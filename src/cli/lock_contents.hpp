#pragma once

#include <filesystem>
#include <span>

namespace ito::cli {

// A set of files is put into a folder whole. The set, complete and on the disk, is renamed into the
// folder's lock: from that moment on it is the folder's. Then its files move up one by one, and
// what only the earlier set had is removed. Where that breaks off, whoever takes the lock next
// finishes it. A reader looks for a publication in the lock (see read_published).

/// The files in the folder `set` become those of the folder that `lock` is of; of `names`, those
/// not in `set` are removed. Throws ito::Error, with nothing changed or the rest left to be
/// finished.
void publish(const std::filesystem::path& lock, const std::filesystem::path& set,
             std::span<const char* const> names);

/// Whether one is under way, or has broken off.
bool publication_begun(const std::filesystem::path& lock);

/// Nothing where none has begun. Throws ito::Error.
void finish_publication(const std::filesystem::path& lock);

/// Where in the lock of a folder lies what a later run can go on with.
std::filesystem::path work_in(const std::filesystem::path& lock);

/// Moves it, without what was half-written, to the subfolder `unfinished` of the folder that `lock`
/// is of. First it goes to another name in the lock: a thread that still writes then finds no
/// folder. Nothing where there is no work. Throws ito::Error.
void keep_work(const std::filesystem::path& lock);

}  // namespace ito::cli
