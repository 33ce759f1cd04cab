#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <ito/plan.hpp>

namespace ito::jax {

/// Plans for whoever calls. XLA runs handlers on several threads at once and a plan serves one
/// caller at a time, so a call takes one and gives it back; a plan is made where none is idle.
///
/// A compiled computation names its plan by settings alone, and may be run for as long as anybody
/// holds it, in another process too where it was kept on disk. So nothing says when a plan was
/// needed for the last time: idle ones stay, but for those of the host that were not used for
/// longest, of which there are `most_idle`. Those of a device stay as long as the process, since a
/// stream may still have their kernels to run.
template <class Real>
class PlanPool {
 public:
  /// A plan of one caller's, until it goes.
  class Lease {
   public:
    Lease(PlanPool& pool, std::string key, std::unique_ptr<BasicPlan<Real>> plan)
        : pool_(pool), key_(std::move(key)), plan_(std::move(plan)) {}
    ~Lease() { pool_.give(std::move(key_), std::move(plan_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    BasicPlan<Real>* operator->() const { return plan_.get(); }

   private:
    PlanPool& pool_;
    std::string key_;
    std::unique_ptr<BasicPlan<Real>> plan_;
  };

  /// That of the process. It is not taken down with it: a driver may be gone by then.
  static PlanPool& of_process();

  /// `settings`: JSON of `model` (a description, as text), `device`, `threads`, `precision`,
  /// `workspace_limit` or null, `gradient` and `cuda_kernels`. `ordinal`: which CUDA device, or −1
  /// for the host. Throws ito::Error where the device is of another kind, and as a plan does.
  Lease take(std::string_view settings, int ordinal);

 private:
  static constexpr std::size_t most_idle = 64;

  struct Idle {
    std::string key;
    std::unique_ptr<BasicPlan<Real>> plan;
  };

  void give(std::string key, std::unique_ptr<BasicPlan<Real>> plan);

  std::mutex mutex_;
  std::list<Idle> idle_;  ///< the last used first
};

extern template class PlanPool<float>;
extern template class PlanPool<double>;

}  // namespace ito::jax
