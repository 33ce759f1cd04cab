// Learns a control by gradient descent, in memory that the caller owns. X is a Brownian path on [0,
// 1], seen once as y ~ N(X_1, s²). The constant control with the least free energy E[E − log
// p(y|X)] is y / (1 + s²).
#include <ito/ito.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

constexpr std::size_t paths = 1024;
constexpr float y = 2.0F;
constexpr float variance = 0.5F;  // s²

struct Memory {
  std::vector<float> states, dstates, denergy, gradient;
  std::vector<std::byte> workspace;
};

// One step of descent. Neither call allocates: the recording is in the workspace.
void descend(ito::Plan& plan, ito::Parameters& parameters, Memory& memory, std::uint64_t step) {
  const ito::Request request{.paths = paths, .seed = 1, .first_path = step * paths};
  const ito::Recording recording =
      plan.record(parameters, request, {.states = memory.states}, memory.workspace);
  for (std::size_t i = 0; i < paths; ++i) {
    memory.dstates[i] = (memory.states[i] - y) / (variance * paths);  // of −log p(y|x)
    memory.denergy[i] = 1.0F / paths;
  }
  plan.adjoint(parameters, recording, {.states = memory.dstates, .energy = memory.denergy},
               {.parameters = memory.gradient});
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    parameters.values()[p] -= 0.1F * memory.gradient[p];
  }
}

int main() {
  ito::Plan plan{
      {.state = 1, .grid = ito::uniform_grid(1.0, 64), .control = ito::ConstantControl{}}};
  ito::Parameters parameters = ito::initialize(plan.model(), /*seed=*/1);
  Memory memory{.states = std::vector<float>(paths),
                .dstates = std::vector<float>(paths),
                .denergy = std::vector<float>(paths),
                .gradient = std::vector<float>(plan.parameter_count()),
                .workspace = std::vector<std::byte>(plan.workspace_bytes(paths))};
  for (std::uint64_t step = 0; step < 100; ++step) descend(plan, parameters, memory, step);

  const float learned = parameters["control.value"][0];
  const float best = y / (1 + variance);
  std::printf("learned control %.4f, best %.4f\n", learned, best);
  return std::abs(learned - best) < 0.05F ? 0 : 1;
}
