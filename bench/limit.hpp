#pragma once

#include "peaks.hpp"
#include "workload.hpp"

// The limit of a workload: what the machine could do if it did nothing but the arithmetic that
// defines the answer. Products and activations run on the same ports, so their times add:
//
//   seconds a path-step = FMAs / peak FMAs + Σ activations / peak evaluations
//
// with the peaks of peaks.hpp. Counted are the FMAs of the nets' weight matrices and the
// activations of their hidden units and outputs; biases, time, noise, the step itself and memory
// are not. A gradient needs four times the FMAs and twice the activations of a simulation: the
// simulation, the nets again at each state of the way back (keeping every hidden unit of every step
// would take gigabytes), the products that carry cotangents back, and those that make weight
// gradients.
namespace bench {

struct Work {
  double fmas = 0;         ///< a path-step
  double activations = 0;  ///< of hidden units
  double sigmoids = 0;     ///< of a diffusion net's output

  double flops() const { return 2 * fmas; }
};

Work forward_work(const Workload& workload);
Work gradient_work(const Workload& workload);

/// Path-steps a second that the workload's threads could do.
double limit(const Workload& workload, const Work& work);

}  // namespace bench
