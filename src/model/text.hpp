#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <ito/error.hpp>

namespace ito {

/// The enumerator that `text` names, where `table` has a row for each of them in order and
/// `name_of` gives a row's name. Throws ito::Error with the names there are.
template <class Enum, class Table, class NameOf = std::identity>
Enum parse_name(const Table& table, std::string_view text, std::string_view field,
                NameOf name_of = {}) {
  int number = 0;
  std::string all;
  for (const auto& row : table) {
    const std::string_view name = std::invoke(name_of, row);
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
