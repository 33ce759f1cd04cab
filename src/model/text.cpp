#include "model/text.hpp"

#include <cstddef>
#include <cstdint>

#include <ito/error.hpp>

namespace ito {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with UTF-8
};

/// The first character of `text`, which is not empty.
Character first(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  // Spelled with more bytes than it needs, half of a UTF-16 pair, or beyond the last code point.
  const bool overlong = code < (bytes == 4 ? 0x10000u : bytes == 3 ? 0x800u : 0x80u);
  if (overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return {};
  return {code, bytes};
}

bool breaks_a_line(std::uint32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x85 || code == 0x2028 || code == 0x2029;
}

/// C0, DEL and C1, marks and embeddings of direction, the byte order mark.
bool controls(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Character character = first(text);
    if (character.bytes == 0 || (controls(character.code) && !breaks_a_line(character.code))) {
      line += '?';
    } else if (breaks_a_line(character.code)) {
      line += ' ';
    } else {
      line += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes == 0 ? 1 : character.bytes);
  }
  return line;
}

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return printable(text);
  // Not in the middle of a character.
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0u) == 0x80u) --most;
  return printable(text.substr(0, most)) + "...";
}

Error::Error(const std::string& message) : std::runtime_error(printable(message)) {}

Error::Error(const std::string& field, const std::string& got, const std::string& accepted)
    : Error(field + ": got " + got + "; accepted: " + accepted) {}

}  // namespace ito
