#pragma once

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include <ito/error.hpp>

#include "engine/any_plan.hpp"

namespace ito::test {

/// The least PlanOptions::workspace_limit, as the refusal of a smaller one names it.
inline std::size_t least_limit(const EngineKind& kind, const Model& model, const Call& call,
                               int threads) {
  try {
    AnyPlan(kind, model, {.workspace_limit = 0}, threads)
        .workspace_bytes(call.paths, call.observations());
  } catch (const Error& error) {
    const std::string text = error.what(),
                      before = "workspace_limit: got 0 bytes; accepted: at least ";
    EXPECT_TRUE(text.starts_with(before)) << text;
    return std::stoull(text.substr(before.size()));
  }
  ADD_FAILURE() << "a limit of 0 bytes was accepted";
  return 0;
}

}  // namespace ito::test
