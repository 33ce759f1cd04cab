#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "model/check.hpp"

namespace ito {

/// Parses JSON text. Refuses malformed text (with line and column), duplicate keys and more than 64
/// levels of nesting; `what` names the document in messages. Throws ito::Error.
nlohmann::json parse_json(std::string_view text, const std::string& what);

/// A JSON value together with its place, for example `diffusion.hidden[1]`, so that every refusal
/// names the field. Refers to the parsed document, which must outlive it. Every member function
/// throws ito::Error.
class JsonReader {
 public:
  /// `field` is empty for the whole document.
  JsonReader(const nlohmann::json& value, std::string field)
      : value_(value), field_(std::move(field)) {}

  /// Refuses anything but an object with keys among these.
  void accept(const std::vector<std::string_view>& keys) const;
  bool has(std::string_view key) const;
  /// Refuses an absent key.
  JsonReader at(std::string_view key) const;
  JsonReader at(std::size_t index) const;

  int integer(Range range) const;
  double number() const;
  bool boolean() const;
  std::string text() const;
  Activation activation() const;
  std::vector<int> integers(Range range) const;
  std::vector<double> numbers() const;
  /// The text of key `kind`, which must be one of these.
  std::string kind(std::initializer_list<std::string_view> kinds) const;

  // Each leaves `target` as it is when `key` is absent.
  void read(std::string_view key, double& target) const;
  void read(std::string_view key, bool& target) const;
  void read(std::string_view key, Activation& target) const;
  void read(std::string_view key, std::vector<double>& target) const;
  void read(std::string_view key, int& target, Range range) const;
  void read(std::string_view key, std::vector<int>& target, Range range) const;

  const nlohmann::json& value() const { return value_; }
  const std::string& field() const { return field_; }
  /// Throws "field: got VALUE; accepted: ACCEPTED".
  [[noreturn]] void refuse(const std::string& accepted) const;

 private:
  const nlohmann::json& value_;
  std::string field_;
};

}  // namespace ito
