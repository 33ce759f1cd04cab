// Caller-owned runs allocate nothing: every operator new of the process is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which bring their own

namespace {

std::atomic<long> allocations{0};
std::atomic<std::size_t> allocated{0};  ///< bytes

void* counted(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated.fetch_add(size, std::memory_order_relaxed);
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* p = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded)) return p;
  throw std::bad_alloc();
}

}  // namespace

// g++ 12 takes the pair below for mismatched once it has inlined one of them.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace ito::test {
namespace {

template <class Real>
std::vector<Real> real(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// Allocations of a simulation, a recording and two adjoints of it. With rows, the grids are given
/// by observation.
template <class Real>
long allocations_of_a_call(const ModelCase& row, Execution execution, std::size_t limit,
                           bool with_rows) {
  constexpr std::uint64_t paths = 200;
  BasicPlan<Real> plan(row.model, execution, {.workspace_limit = limit});
  const Call call = row.call(paths);
  const PathValues weights = random_cotangents(row.model, paths, 1);
  const std::vector<Real> parameters(real<Real>(row.inputs(paths).parameters)),
      x0(real<Real>(call.x0)), context(real<Real>(call.context)),
      state_weights(real<Real>(weights.states)), energy_weights(real<Real>(weights.energy));
  BasicRequest<Real> request{call.paths, call.seed, call.first_path,
                             x0,         context,   call.paths_per_observation};
  const std::vector<ObservationGrid> grids(call.observations(), {row.model.grid, row.model.save});
  const auto rows = grid_rows<Real>(row.model, grids);
  if (with_rows) request.grid = rows.steps, request.save = rows.save;
  std::vector<Real> states(weights.states.size()), energy(paths), martingale(paths),
      gradient(plan.parameter_count()), context_gradient(context.size()),
      x0_gradient(paths * static_cast<std::size_t>(row.model.state));
  std::vector<std::byte> workspace(plan.workspace_bytes(paths, call.observations()));

  const long before = allocations;
  const BasicOutputs<Real> outputs{.states = states, .energy = energy, .martingale = martingale};
  plan.simulate(parameters, request, outputs, workspace);
  const BasicRecording<Real> recording = plan.record(parameters, request, outputs, workspace);
  for (const bool detach : {false, true}) {
    plan.adjoint(parameters, recording, {.states = state_weights, .energy = energy_weights},
                 {gradient, x0_gradient, context_gradient},
                 {.detach_martingale_parameters = detach});
  }
  return allocations - before;
}

TEST(Allocation, IsCounted) {
  const long before = allocations;
  const auto some = std::make_unique<std::vector<int>>(100);
  EXPECT_EQ(allocations - before, 2);
}

TEST(Allocation, DoesNotHappenInACall) {
  for (const char* name :
       {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop", "affine_constant_drift",
        "zero_constant_rectangular_constant", "context_of_three", "context_every_step",
        "context_wide_drift", "mlp_identity_none"}) {
    const ModelCase& row = model_case(name);
    for (const int threads : {1, 2}) {
      for (const std::size_t limit : {std::size_t{1} << 28, std::size_t{24} << 10}) {
        for (const bool rows : {false, true}) {
          const Execution cpu{Device::cpu(), threads}, reference{Device::reference(), threads};
          EXPECT_EQ(allocations_of_a_call<float>(row, cpu, limit, rows), 0) << name;
          EXPECT_EQ(allocations_of_a_call<float>(row, reference, limit, rows), 0) << name;
          EXPECT_EQ(allocations_of_a_call<double>(row, reference, limit, rows), 0) << name;
        }
      }
    }
  }
}

/// Of a state of one channel at 65 steps: as many numbers each as the states are those of E and of
/// M by interval.
TEST(Allocation, OfASimulationIsThatOfTheRequestedOutputs) {
  constexpr std::size_t paths = 4096, saves = 65;
  Model model;
  model.grid = uniform_grid(1.0, 64);
  for (int k = 0; k <= 64; ++k) model.save.push_back(k);
  for (const Device device : {Device::cpu(), Device::reference()}) {
    Plan plan(model, {device, 1});
    for (const bool intervals : {false, true}) {
      const std::size_t results =
          paths * ((saves * (intervals ? 3 : 1) + 2) * sizeof(float) + sizeof(std::uint8_t));
      const std::size_t before = allocated;
      const Paths run = plan.simulate({}, {.paths = paths}, {.intervals = intervals});
      const std::size_t taken = allocated - before;
      EXPECT_GE(taken, results) << device.name();
      EXPECT_LE(taken, results + results / 50) << device.name();
    }
  }
}

}  // namespace
}  // namespace ito::test

#endif
