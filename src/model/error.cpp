#include <ito/error.hpp>

#include "model/printable.hpp"

namespace ito {

Error::Error(const std::string& message) : std::runtime_error(printable(message)) {}

Error::Error(const std::string& field, const std::string& got, const std::string& accepted)
    : Error(field + ": got " + got + "; accepted: " + accepted) {}

}  // namespace ito
