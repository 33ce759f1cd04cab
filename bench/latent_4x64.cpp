#include "rows.hpp"
#include "workload_rows.hpp"

namespace bench {

void add_latent_4x64() {
  for (const bool diffusion_net : {false, true}) {
    for (const int threads : {2, 1}) {
      add_workload("latent-4x64", {.diffusion_net = diffusion_net, .threads = threads});
    }
    for (const bool own : {false, true}) {
      add_workload("row-grids", {.diffusion_net = diffusion_net, .own_grids = own});
      // One tile, small enough to run under an instruction counter.
      add_workload("instructions", {.diffusion_net = diffusion_net,
                                    .paths = 64,
                                    .steps = 128,
                                    .threads = 1,
                                    .own_grids = own});
    }
  }
}

}  // namespace bench
