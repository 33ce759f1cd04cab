#include "model/json_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include <ito/error.hpp>

namespace ito {
namespace {

using nlohmann::json;

constexpr int nesting_limit = 64;

/// A short, one-line picture of a value.
std::string picture(const json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return "an object";
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

/// Follows a parse and refuses what nlohmann::json would accept in silence: the second of two equal
/// keys, and nesting deep enough to trouble recursive code.
class ParseGuard {
 public:
  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth > nesting_limit) {
      throw Error("nesting", "deeper brackets", fmt::format("up to {} levels", nesting_limit));
    }
    switch (event) {
      case json::parse_event_t::object_start:
        objects_.emplace_back();
        break;
      case json::parse_event_t::object_end:
        objects_.pop_back();
        break;
      case json::parse_event_t::key:
        add_key(parsed.get_ref<const std::string&>());
        break;
      default:
        break;
    }
    return true;
  }

 private:
  struct Object {
    std::set<std::string> keys;
    std::string current;
  };

  void add_key(const std::string& key) {
    objects_.back().current = key;
    if (objects_.back().keys.insert(key).second) return;
    std::string field;
    for (const Object& object : objects_) field += (field.empty() ? "" : ".") + object.current;
    throw Error(field, "the key twice", "each key once");
  }

  std::vector<Object> objects_;
};

}  // namespace

json parse_json(std::string_view text, const std::string& what) {
  try {
    return json::parse(
        text.begin(), text.end(),
        [guard = ParseGuard()](int depth, json::parse_event_t event, json& parsed) mutable {
          return guard(depth, event, parsed);
        });
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    std::string_view message = error.what();
    if (const auto end = message.find("] "); end != std::string_view::npos) {
      message.remove_prefix(end + 2);
    }
    // It quotes the last token, which may be long.
    throw Error(fmt::format("{}: not valid JSON: {:.300}", what, message));
  }
}

void JsonReader::refuse(const std::string& accepted) const {
  throw Error(field_.empty() ? "the document" : field_, picture(value_), accepted);
}

void JsonReader::accept(const std::vector<std::string_view>& keys) const {
  if (!value_.is_object()) refuse("a JSON object");
  for (const auto& [key, value] : value_.items()) {
    if (std::ranges::find(keys, key) == keys.end()) {
      const json quoted = key;
      throw Error(field_.empty() ? "key" : field_, "unknown key " + picture(quoted),
                  fmt::format("{}", fmt::join(keys, ", ")));
    }
  }
}

bool JsonReader::has(std::string_view key) const { return value_.contains(key); }

JsonReader JsonReader::at(std::string_view key) const {
  const std::string name = (field_.empty() ? "" : field_ + ".") + std::string(key);
  const auto found = value_.find(key);
  if (found == value_.end()) throw Error(name, "nothing", "a value: the key is needed");
  return {*found, name};
}

JsonReader JsonReader::at(std::size_t index) const {
  return {value_.at(index), indexed(field_, index)};
}

int JsonReader::integer(Range range) const {
  const auto in_range = [range](auto value) {
    return std::cmp_greater_equal(value, range.least) && std::cmp_less_equal(value, range.most);
  };
  const bool accepted = value_.is_number_unsigned()  ? in_range(value_.get<std::uint64_t>())
                        : value_.is_number_integer() ? in_range(value_.get<std::int64_t>())
                                                     : false;
  if (!accepted) refuse(fmt::format("integers from {} to {}", range.least, range.most));
  return value_.get<int>();
}

double JsonReader::number() const {
  if (!value_.is_number()) refuse("a number");
  return value_.get<double>();
}

bool JsonReader::boolean() const {
  if (!value_.is_boolean()) refuse("true or false");
  return value_.get<bool>();
}

std::string JsonReader::text() const {
  if (!value_.is_string()) refuse("a string");
  return value_.get<std::string>();
}

Activation JsonReader::activation() const { return parse_activation(text(), field_); }

std::vector<int> JsonReader::integers(Range range) const {
  if (!value_.is_array()) refuse("an array of integers");
  std::vector<int> result;
  for (std::size_t i = 0; i < value_.size(); ++i) result.push_back(at(i).integer(range));
  return result;
}

std::vector<double> JsonReader::numbers() const {
  if (!value_.is_array()) refuse("an array of numbers");
  std::vector<double> result;
  for (std::size_t i = 0; i < value_.size(); ++i) result.push_back(at(i).number());
  return result;
}

std::string JsonReader::kind(std::initializer_list<std::string_view> kinds) const {
  if (!value_.is_object()) refuse("a JSON object");
  const JsonReader reader = at("kind");
  std::string text = reader.text();
  if (std::ranges::find(kinds, text) == kinds.end()) {
    reader.refuse(fmt::format("\"{}\"", fmt::join(kinds, "\", \"")));
  }
  return text;
}

void JsonReader::read(std::string_view key, double& target) const {
  if (has(key)) target = at(key).number();
}
void JsonReader::read(std::string_view key, bool& target) const {
  if (has(key)) target = at(key).boolean();
}
void JsonReader::read(std::string_view key, Activation& target) const {
  if (has(key)) target = at(key).activation();
}
void JsonReader::read(std::string_view key, std::vector<double>& target) const {
  if (has(key)) target = at(key).numbers();
}
void JsonReader::read(std::string_view key, int& target, Range range) const {
  if (has(key)) target = at(key).integer(range);
}
void JsonReader::read(std::string_view key, std::vector<int>& target, Range range) const {
  if (has(key)) target = at(key).integers(range);
}

}  // namespace ito
