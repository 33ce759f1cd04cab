#pragma once

#include <string>

#include <ito/error.hpp>

namespace ito {

/// The message of the ito::Error that `function` throws, or "accepted" when it returns. Any other
/// exception ends the test.
template <class Function>
std::string refusal(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace ito
