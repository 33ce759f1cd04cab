#pragma once

#include <gtest/gtest.h>

#include <string>

namespace ito::cuda {

/// Whether `message` has `part` in it.
inline ::testing::AssertionResult says(const std::string& message, const std::string& part) {
  if (message.find(part) != message.npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in: " << message;
}

}  // namespace ito::cuda
