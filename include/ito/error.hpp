#pragma once

#include <stdexcept>
#include <string>

namespace ito {

/// The one exception of the public API. `what()` is a single line that names the field, the value
/// it got and what is accepted.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  /// "field: got VALUE; accepted: ACCEPTED"
  Error(const std::string& field, const std::string& got, const std::string& accepted)
      : std::runtime_error(field + ": got " + got + "; accepted: " + accepted) {}
};

}  // namespace ito
