#include "cli/description.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "io/file.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

/// Refuses what is no JSON object by what it is: a parser would point at its first character.
void check_kind(const std::string& text, const std::string& file) {
  const std::string accepted = "a model description, a JSON object";
  const std::size_t mark = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
  const auto begin = text.find_first_not_of(" \t\r\n", mark);
  if (begin != std::string::npos && text[begin] == '{') return;
  refuse_other_kinds(text, file, accepted);
  const std::string line = begin == std::string::npos
                               ? ""
                               : text.substr(begin, text.find_first_of("\r\n", begin) - begin);
  throw Error(file,
              line.empty() ? "an empty file"
                           : fmt::format("text that begins with \"{}\"", shortened(line, 40)),
              accepted);
}

bool has_any(const std::string& text, std::initializer_list<const char*> keys) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return false;  // the model's parser says what is wrong with it
  return std::ranges::any_of(keys, [&](const char* key) { return json.contains(key); });
}

Description parse_description(const std::string& text) {
  Description description;
  if (has_any(text, {"series"})) {
    description.series = parse_series_model(text);
    description.latent = description.series->latent;
  } else if (has_any(text, {"observed", "encoder", "decoder", "likelihood"})) {
    description.latent = parse_latent_model(text);
  }
  description.model = description.latent ? description.latent->model : parse_model(text);
  return description;
}

}  // namespace

Parameters Description::layout() const {
  return latent ? zero_parameters(*latent) : zero_parameters(model);
}

Description read_description(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  check_kind(text, file.string());
  try {
    return parse_description(text);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", file.string(), error.what()));
  }
}

DataModel read_data_model(const std::filesystem::path& file) {
  Description description = read_description(file);
  if (!description.latent) {
    throw Error(fmt::format(
        "{}: describes an SDE without observations; add `observed`, `decoder` and `likelihood`",
        file.string()));
  }
  return {std::move(*description.latent), std::move(description.series)};
}

}  // namespace ito::cli
