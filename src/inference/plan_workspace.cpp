#include <ito/plan_workspace.hpp>

#include <optional>

#include <fmt/format.h>
#include <ito/error.hpp>

namespace ito {

template <class Real>
std::size_t workspace_for(const BasicPlan<Real>& plan, const PathCount& paths,
                          std::size_t observations, bool record) {
  const auto bytes = [&](std::size_t count) -> std::optional<std::size_t> {
    try {
      const std::size_t n = count * paths.each;
      return record ? plan.workspace_bytes(n, observations)
                    : plan.simulate_workspace_bytes(n, observations);
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  if (const auto found = bytes(paths.count)) return *found;
  std::size_t fits = 0, exceeds = paths.count;
  while (exceeds - fits > 1) {
    const std::size_t middle = fits + (exceeds - fits) / 2;
    (bytes(middle) ? fits : exceeds) = middle;
  }
  if (fits == 0) {
    const Model& model = plan.model();
    throw Error("model",
                fmt::format("{} steps of {} channels, too many for a gradient of {} paths",
                            model.grid.size() - 1, model.state, paths.each),
                "fewer steps or a smaller state");
  }
  throw Error(
      paths.field, fmt::format("{}", paths.count),
      fmt::format("up to {} with this model: a gradient keeps states of all these paths at a "
                  "time",
                  fits));
}

// Instances of a function template are exported by name.
template __attribute__((visibility("default"))) std::size_t workspace_for(const Plan&,
                                                                          const PathCount&,
                                                                          std::size_t, bool);
template std::size_t workspace_for(const DoublePlan&, const PathCount&, std::size_t, bool);

}  // namespace ito
