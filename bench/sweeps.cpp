#include "rows.hpp"
#include "workload_rows.hpp"

namespace bench {
namespace {

using ito::Activation;

// On one thread, so that a busy machine disturbs it little; threads scale (latent-4x64 has both).
constexpr Workload base{.steps = 100, .threads = 1};
constexpr int states[] = {1, 2, 4, 8, 32};
constexpr int widths[] = {16, 32, 64, 128, 256};
constexpr int depths[] = {1, 2, 3};
constexpr Activation activations[] = {Activation::tanh, Activation::softplus, Activation::silu,
                                      Activation::relu};

/// One axis at a time through the reference workload's shape.
void add_shapes() {
  const auto add = [](const char* axis, auto set, const auto& values) {
    for (const auto value : values) {
      Workload workload = base;
      set(workload, value);
      add_workload(std::string("shape/axis=") + axis, workload);
    }
  };
  add(
      "d", [](Workload& w, int value) { w.state = value; }, states);
  add(
      "hidden", [](Workload& w, int value) { w.hidden = value; }, widths);
  add(
      "layers", [](Workload& w, int value) { w.layers = value; }, depths);
  add(
      "activation", [](Workload& w, Activation value) { w.activation = value; }, activations);
}

/// From one tile to a million paths, and from a few steps to many: time is linear in both.
void add_sizes(bool all) {
  for (int paths = 64; paths <= 1 << 20; paths *= 4) {
    for (const int steps : {8, 64, 512}) {
      Workload workload = base;
      workload.paths = static_cast<std::uint64_t>(paths);
      workload.steps = steps;
      workload.threads = 2;
      if (workload.path_steps() <= (all ? 0x1p27 : 0x1p23)) add_workload("size", workload);
    }
  }
}

void add_grid() {
  for (const int state : states) {
    for (const int hidden : widths) {
      for (const int layers : depths) {
        for (const Activation activation : activations) {
          Workload workload = base;
          workload.state = state;
          workload.hidden = hidden;
          workload.layers = layers;
          workload.activation = activation;
          add_workload("grid", workload);
        }
      }
    }
  }
}

}  // namespace

void add_sweeps(bool all) {
  add_shapes();
  add_sizes(all);
  if (all) add_grid();
}

}  // namespace bench
