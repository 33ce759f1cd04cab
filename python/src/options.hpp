#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <type_traits>

#include <ito/ito.hpp>

#include "bindings.hpp"

namespace ito::python {

/// Options of a call as a dict: `fields(options, visit)` names the fields of a struct once, to read
/// them and to tell their defaults.
class OptionReader {
 public:
  explicit OptionReader(nb::dict given) : given_(std::move(given)) {}

  template <class T>
  void operator()(const char* name, T& field) {
    if (!given_.contains(name)) return;
    const nb::object value = given_[name];
    ++read_;
    if (nb::try_cast(value, field)) return;
    const std::string message =
        std::string(name) + ": got " + nb::repr(value).c_str() + "; accepted: " + accepted<T>();
    throw nb::type_error(message.c_str());
  }
  /// Whether every key was that of a field.
  bool all_read() const { return read_ == nb::len(given_); }

 private:
  template <class T>
  static std::string accepted() {
    if constexpr (std::is_same_v<T, bool>) return "True or False";
    if constexpr (std::is_integral_v<T>) return "an integer from 0";
    if constexpr (std::is_floating_point_v<T>) return "a number";
    if constexpr (std::is_same_v<T, std::vector<std::string>>) return "a list of text";
    if constexpr (std::is_same_v<T, std::vector<double>>) return "a list of numbers";
    return "text";
  }
  nb::dict given_;
  std::size_t read_ = 0;
};

/// A field that a description names by text, as a reader or writer sees it.
template <class Visitor, class T, class Parse>
void named_field(Visitor& visit, const char* field, T& value, const Parse& parse) {
  std::string text(ito::name(value));
  visit(field, text);
  value = parse(text);
}

template <class Visitor>
void execution_fields(Visitor& visit, Execution& where) {
  std::string device = "auto";
  visit("device", device);
  visit("threads", where.threads);
  where.device = parse_device(device);
}

/// The options of a struct from a dict; other keys are refused.
template <class Options>
Options read_options(nb::dict given) {
  Options options{};
  OptionReader reader(std::move(given));
  fields(options, reader);
  if (!reader.all_read()) throw nb::type_error("an option that there is not");
  return options;
}

/// What a struct's fields are by default.
template <class Options>
nb::dict default_options() {
  nb::dict all;
  Options options{};
  auto write = [&](const char* name, const auto& field) { all[name] = nb::cast(field); };
  fields(options, write);
  return all;
}

}  // namespace ito::python
