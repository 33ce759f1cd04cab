#include "cli/description.hpp"

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

bool describes_latent_model(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return false;  // the model's parser says what is wrong with it
  for (const char* key : {"observed", "encoder", "decoder", "likelihood"})
    if (json.contains(key)) return true;
  return false;
}

}  // namespace

Parameters Description::layout() const {
  return latent ? zero_parameters(*latent) : zero_parameters(model);
}

std::string Description::json() const { return latent ? to_json(*latent) : to_json(model); }

Description read_description(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  check_kind(text, file.string());
  try {
    if (!describes_latent_model(text)) return {.model = validated(parse_model(text)), .latent = {}};
    LatentModel latent = validated(parse_latent_model(text));
    Model model = latent.model;
    return {.model = std::move(model), .latent = std::move(latent)};
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", file.string(), error.what()));
  }
}

LatentModel read_latent_model(const std::filesystem::path& file) {
  Description description = read_description(file);
  if (!description.latent) {
    throw Error(fmt::format(
        "{}: describes an SDE without observations; add `observed`, `decoder` and `likelihood`",
        file.string()));
  }
  return std::move(*description.latent);
}

}  // namespace ito::cli
