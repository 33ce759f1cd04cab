#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <ito/ito.hpp>

namespace bench {

/// A latent SDE and how much of it to run. The defaults are the reference workload "latent-4x64":
/// posterior drift (with time) and prior drift are nets, σ is a learned constant or a third net
/// with a sigmoid; Euler–Maruyama from the origin over [0, 1].
struct Workload {
  int state = 4;
  int hidden = 64;
  int layers = 2;  ///< hidden ones
  ito::Activation activation = ito::Activation::tanh;
  bool diffusion_net = false;
  std::uint64_t paths = 1024;
  int steps = 1000;
  int threads = 2;
  /// 16 paths an observation, each of which has steps of its own lengths.
  bool own_grids = false;

  int nets() const { return diffusion_net ? 3 : 2; }
  double path_steps() const { return static_cast<double>(paths) * steps; }
  /// Its fields as key=value, joined by slashes.
  std::string name() const;
};

ito::Model model_of(const Workload& workload);

/// The numbers that every engine and peer runs with, so that their losses agree: element k of the
/// flat vector, counted from 1, is sin(k²) times √(2/fan_in) for a weight and times 0.1 for a bias.
ito::Parameters parameters_of(const ito::Model& model);

/// A workload on the CPU engine with memory for its calls; the loss is mean |x_T|² + mean path KL.
class Run {
 public:
  explicit Run(const Workload& workload);

  void simulate();
  void simulate_and_differentiate();

  double loss() const;
  std::size_t workspace_bytes() const { return workspace_.size(); }

 private:
  ito::Outputs outputs();

  Workload workload_;
  ito::Plan plan_;
  ito::Parameters parameters_;
  ito::GridRows grids_;
  ito::Request request_;
  std::vector<float> states_, energy_, martingale_;
  std::vector<float> state_cotangents_, energy_cotangents_, gradient_;
  std::vector<std::byte> workspace_;
};

}  // namespace bench
