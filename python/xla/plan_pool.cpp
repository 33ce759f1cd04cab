#include "plan_pool.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <ito/error.hpp>
#include <nlohmann/json.hpp>

namespace ito::jax {
namespace {

template <class Real>
std::unique_ptr<BasicPlan<Real>> make_plan(std::string_view settings, int ordinal) {
  const auto all = nlohmann::json::parse(settings);
  const auto text = [&](const char* key) { return all.at(key).template get<std::string>(); };
  Device device = Device::parse(text("device"));
  const bool on_cuda = device.kind() == Device::Kind::cuda;
  if (on_cuda != (ordinal >= 0)) {
    throw Error(
        "plan",
        "one of " + device.name() + " in a computation of the " + (on_cuda ? "host" : "GPU"),
        on_cuda ? "one of \"cpu\" or \"reference\"" : "one of \"cuda\"");
  }
  // The computation says which of its devices it is; the plan says only that it is one of them.
  if (on_cuda) device = Device::cuda(ordinal);
  PlanOptions options{.precision = parse_precision(text("precision")),
                      .gradient = parse_gradient_method(text("gradient")),
                      .cuda_kernels = parse_cuda_kernels(text("cuda_kernels"))};
  if (const auto& limit = all.at("workspace_limit"); !limit.is_null())
    options.workspace_limit = limit.template get<std::size_t>();
  const Execution where{.device = device, .threads = all.at("threads").template get<int>()};
  return std::make_unique<BasicPlan<Real>>(parse_model(text("model")), where, options);
}

}  // namespace

template <class Real>
PlanPool<Real>& PlanPool<Real>::of_process() {
  static auto* const pool = new PlanPool;
  return *pool;
}

template <class Real>
auto PlanPool<Real>::take(std::string_view settings, int ordinal) -> Lease {
  std::string key = std::to_string(ordinal).append(settings);
  std::unique_ptr<BasicPlan<Real>> plan;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(idle_, key, &Idle::key);
    if (found != idle_.end()) {
      plan = std::move(found->plan);
      idle_.erase(found);
    }
  }
  if (!plan) plan = make_plan<Real>(settings, ordinal);
  return Lease(*this, std::move(key), std::move(plan));
}

template <class Real>
void PlanPool<Real>::give(std::string key, std::unique_ptr<BasicPlan<Real>> plan) {
  const bool on_host = plan->device().kind() != Device::Kind::cuda;
  std::optional<Idle> dropped;  // and taken apart when others can go on
  const std::lock_guard lock(mutex_);
  idle_.push_front({std::move(key), std::move(plan)});
  if (!on_host || idle_.size() <= most_idle) return;
  const auto oldest = std::find_if(idle_.rbegin(), idle_.rend(), [](const Idle& one) {
    return one.plan->device().kind() != Device::Kind::cuda;
  });
  dropped = std::move(*oldest);
  idle_.erase(std::next(oldest).base());
}

template class PlanPool<float>;
template class PlanPool<double>;

}  // namespace ito::jax
