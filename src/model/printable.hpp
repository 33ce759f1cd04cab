#pragma once

#include <string>
#include <string_view>

namespace ito {

/// `text` as one line that a terminal shows as it is, whatever file or argument it quotes: a space
/// for a line break or tab, '?' for every other control character, for those that turn the
/// direction of writing, and for bytes that are not UTF-8.
std::string printable(std::string_view text);

/// The same of at most `most` bytes of it, "..." after them where there are more.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace ito
