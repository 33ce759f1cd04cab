#include <ito/ito.hpp>

#include <cstdio>
#include <vector>

int main() {
  ito::Model model{
      .state = 4,
      .grid = ito::uniform_grid(/*horizon=*/1.0, /*steps=*/64),
      .drift = ito::Mlp{.hidden = {64, 64}},
      .diffusion =
          ito::DiagonalDiffusion{ito::Mlp{.hidden = {32}, .output = ito::Activation::softplus}},
      .control = ito::FeedbackControl{ito::Mlp{.hidden = {64, 64}}},
  };
  ito::Plan plan{model};  // describe once, run many times
  ito::Parameters parameters = ito::initialize(model, /*seed=*/1);

  ito::Recording recording = plan.record(parameters, {.paths = 4096, .seed = 7});

  // Any loss of states, energy and martingale: hand back its derivatives. Here mean(½|x_T|² + E).
  std::vector<float> dstates = recording.paths().states(), denergy(4096, 1.0F / 4096);
  for (float& x : dstates) x /= 4096;
  ito::Gradient g = plan.adjoint(parameters, recording, {.states = dstates, .energy = denergy});
  std::printf("%zu derivatives; the first is %g\n", g.parameters.size(), g.parameters[0]);
}
