#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include <ito/ito.hpp>

// The reference workload "latent-4x64": a latent SDE of dimension 4 whose posterior drift, prior
// drift and diffusion are tanh nets with two hidden layers of 64, over 1000 Euler steps; the loss
// is mean |x_T|² plus the mean path KL. The counter `path_steps` is steps of single paths a second,
// all threads together.

namespace {

constexpr int steps = 1000;
enum { cpu, reference };
enum { constant, mlp };

ito::Diffusion diffusion(bool net) {
  if (!net) return ito::ConstantDiffusion{};
  return ito::Diagonal{
      {.hidden = {64, 64}, .output = ito::Activation::sigmoid, .time = false}, 1.0, /*floor=*/0.1};
}

ito::Model latent_4x64(bool diffusion_net) {
  return {
      .state = 4,
      .grid = ito::uniform_grid(1.0, steps),
      .drift = ito::Mlp{.hidden = {64, 64}, .time = false},
      .diffusion = diffusion(diffusion_net),
      .control = ito::DriftControl{ito::Mlp{.hidden = {64, 64}}},
  };
}

/// One model on one engine with memory for its calls.
struct Workload {
  explicit Workload(const benchmark::State& state)
      : model(latent_4x64(state.range(1) == mlp)),
        plan(model, state.range(0) == cpu ? ito::Device::cpu() : ito::Device::reference()),
        parameters(ito::initialize(model, /*seed=*/1)),
        request{.paths = state.range(0) == cpu ? 1024U : 32U, .seed = 7},
        states(request.paths * 4),
        energy(request.paths),
        martingale(request.paths),
        workspace(plan.workspace_bytes(request.paths)) {}

  void simulate(bool record) {
    plan.simulate(parameters, request,
                  {.states = states, .energy = energy, .martingale = martingale}, workspace,
                  record);
  }
  void report(benchmark::State& state) const {
    state.SetLabel(state.range(0) == cpu ? ito::cpu_instruction_set() : "double");
    state.counters["path_steps"] = benchmark::Counter(
        static_cast<double>(request.paths) * steps, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["workspace_MiB"] = static_cast<double>(workspace.size()) / (1 << 20);
  }

  ito::Model model;
  ito::Plan plan;
  ito::Parameters parameters;
  ito::Request request;
  std::vector<float> states, energy, martingale;
  std::vector<std::byte> workspace;
};

void simulate(benchmark::State& state) {
  Workload work(state);
  for ([[maybe_unused]] auto _ : state) work.simulate(/*record=*/false);
  work.report(state);
}

void simulate_and_adjoint(benchmark::State& state) {
  Workload work(state);
  const float share = 1.0F / static_cast<float>(work.request.paths);
  std::vector<float> state_cotangents(work.states.size());
  const std::vector<float> energy_cotangents(work.energy.size(), share);
  std::vector<float> gradient(work.plan.parameter_count());
  for ([[maybe_unused]] auto _ : state) {
    work.simulate(/*record=*/true);
    for (std::size_t i = 0; i < work.states.size(); ++i)
      state_cotangents[i] = 2 * share * work.states[i];
    work.plan.adjoint(work.parameters, work.request,
                      {.states = state_cotangents, .energy = energy_cotangents},
                      {.parameters = gradient}, work.workspace, {}, /*recorded=*/true);
  }
  work.report(state);
}

void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"engine", "diffusion"})
      ->ArgsProduct({{cpu, reference}, {constant, mlp}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}
BENCHMARK(simulate)->Apply(axes);
BENCHMARK(simulate_and_adjoint)->Apply(axes);

}  // namespace
