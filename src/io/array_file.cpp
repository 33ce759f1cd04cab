#include "io/array_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <system_error>

#include "io/file.hpp"
#include "io/npy.hpp"

namespace ito {
namespace {

/// "y, x and 3 more"
std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  const std::span first = std::span(names).first(std::min(names.size(), most));
  const std::size_t rest = names.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, ", "),
                     rest == 0 ? "" : fmt::format(" and {} more", rest));
}

}  // namespace

std::size_t choose_array(const std::vector<std::string>& found, const ArrayPlace& place,
                         const std::vector<std::string_view>& names) {
  const auto number_of = [&](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(found, name) - found.begin());
  };
  const std::string file = place.file.string();
  if (found.empty()) throw Error(file, "a .npz file without arrays", "one with an array");
  if (!place.name.empty()) {
    const std::size_t number = number_of(place.name);
    if (number < found.size()) return number;
    throw Error(file, fmt::format("no array \"{}\"", place.name), "one of " + list(found));
  }
  if (found.size() == 1) return 0;
  for (const std::string_view name : names)
    if (const std::size_t number = number_of(name); number < found.size()) return number;
  throw Error(
      file, fmt::format("{} arrays ({})", found.size(), list(found)),
      fmt::format("one of them as {}:NAME, or one called {}", file, fmt::join(names, " or ")));
}

ArrayPlace array_place(const std::filesystem::path& given) {
  std::error_code ignored;
  const std::string text = given.string();
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(given, ignored)) return {given, {}};
  const std::filesystem::path file = text.substr(0, colon);
  const bool named = file.extension() == ".npz" || std::filesystem::exists(file, ignored);
  return named ? ArrayPlace{file, text.substr(colon + 1)} : ArrayPlace{given, {}};
}

std::optional<Array> parse_array(std::string_view bytes, const ArrayPlace& place,
                                 const std::vector<std::string_view>& names) {
  const std::string what = place.file.string();
  if (is_npz(bytes)) {
    const NpzReader reader(bytes, what);
    return reader.read(choose_array(reader.names(), place, names));
  }
  if (!place.name.empty()) {
    throw Error(fmt::format("{}:{}", what, place.name), "a file of another kind", "an .npz file");
  }
  if (is_npy(bytes)) return parse_npy(bytes, what);
  return std::nullopt;
}

Array read_array(const std::filesystem::path& text, const std::vector<std::string_view>& names) {
  const ArrayPlace place = array_place(text);
  const std::string bytes = read_file(place.file);
  if (std::optional<Array> array = parse_array(bytes, place, names)) return std::move(*array);
  const std::string what = place.file.string();
  refuse_other_kinds(bytes, what, "a .npy or .npz file");
  throw Error(what, bytes.empty() ? "an empty file" : "a file of another kind",
              "a .npy or .npz file");
}

}  // namespace ito
