#pragma once

#include <ito/error.hpp>

namespace ito::cli {

/// A command line that asks for something impossible; the program ends with status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace ito::cli
