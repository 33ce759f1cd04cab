#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ito {

/// What a file is, for the message of a reader that was given another kind than its own.
struct FileKind {
  std::string_view name;    ///< "a gzip file"
  std::string_view remedy;  ///< "decompress it first (gunzip)"; may be empty
};

/// By its first bytes: archives, tables and arrays of other programs, other encodings of text,
/// JSON, HTML, anything binary. Nothing for what may be plain text and for an empty file.
std::optional<FileKind> file_kind(std::string_view bytes);

/// Throws ito::Error where `bytes` are of a known kind; `accepted` says what the reader takes.
void refuse_other_kinds(std::string_view bytes, const std::string& what,
                        const std::string& accepted);

}  // namespace ito
