#pragma once

#include <string>
#include <string_view>

#include <ito/error.hpp>

namespace ito {

/// The enumerator that `text` names, where `names` are those of all of them in order. Throws
/// ito::Error with the names there are.
template <class Enum, class Names>
Enum parse_name(const Names& names, std::string_view text, std::string_view field) {
  int number = 0;
  std::string all;
  for (const std::string_view name : names) {
    if (name == text) return static_cast<Enum>(number);
    ++number;
    all += all.empty() ? "" : ", ";
    all += name;
  }
  throw Error(std::string(field), '"' + std::string(text) + '"', all);
}

/// `text` as one line that a terminal shows as it is, whatever file or argument it quotes: a space
/// for a line break or tab, '?' for every other control character, for those that turn the
/// direction of writing, and for bytes that are not UTF-8.
std::string printable(std::string_view text);

/// The same of at most `most` bytes of it, "..." after them where there are more.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace ito
