#pragma once

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)
namespace ito {

/// The one exception of the public API. `what()` is a single line that names the field, the value
/// it got and what is accepted. Whatever it quotes of files and arguments, a terminal shows it as
/// it is: control characters and bytes that are not UTF-8 are replaced by '?'.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);
  /// "field: got VALUE; accepted: ACCEPTED"
  Error(const std::string& field, const std::string& got, const std::string& accepted);
};

}  // namespace ito
#pragma GCC visibility pop
