#include "limit.hpp"

namespace bench {

Work forward_work(const Workload& workload) {
  const double d = workload.state, h = workload.hidden, layers = workload.layers;
  const double nets = workload.nets();
  return {.fmas = nets * (d * h + (layers - 1) * h * h + h * d),
          .activations = nets * layers * h,
          .sigmoids = workload.diffusion_net ? d : 0.0};
}

Work gradient_work(const Workload& workload) {
  const Work once = forward_work(workload);
  return {
      .fmas = 4 * once.fmas, .activations = 2 * once.activations, .sigmoids = 2 * once.sigmoids};
}

double limit(const Workload& workload, const Work& work) {
  const int threads = workload.threads;
  double seconds = work.fmas / peak_fmas(threads) +
                   work.activations / peak_activations(threads, workload.activation);
  if (work.sigmoids > 0) {
    seconds += work.sigmoids / peak_activations(threads, ito::Activation::sigmoid);
  }
  return 1 / seconds;
}

}  // namespace bench
