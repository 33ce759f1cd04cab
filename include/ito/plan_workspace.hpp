#pragma once

#include <cstddef>

#include <ito/plan.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// A number of paths as the caller's user knows it.
struct PathCount {
  const char* field;     ///< the field's name
  std::size_t count;     ///< its value
  std::size_t each = 1;  ///< paths that one of them makes
};

/// Bytes of workspace for those paths and `observations` rows of context, to record them or only
/// to simulate, where the plan's workspace_limit is none of the user's: throws ito::Error naming
/// the field and the most of it that the limit allows, not the limit.
template <class Real>
std::size_t workspace_for(const BasicPlan<Real>& plan, const PathCount& paths,
                          std::size_t observations, bool record);

}  // namespace ito
#pragma GCC visibility pop
