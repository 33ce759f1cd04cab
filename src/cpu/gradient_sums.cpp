#include "cpu/gradient_sums.hpp"

#include <algorithm>

namespace ito {

double take_sum(float* lanes, int count) {
  double sum = 0;
  for (int lane = 0; lane < count; ++lane) sum += lanes[lane];
  std::fill_n(lanes, count, 0.0f);
  return sum;
}

void take_net_sums(const TileNet& net, float* scratch, double* gradient, std::size_t base) {
  for (const TileLayer& layer : net.layers) {
    const auto length = static_cast<std::size_t>(layer.row_length);
    double* weights = gradient + (layer.weight - base);
    const bool first = &layer == &net.layers.front();
    for (int r = 0; r < layer.outputs; ++r) {
      const auto row = static_cast<std::size_t>(r);
      for (int k = 0; k < layer.inputs; ++k) {
        weights[row * length + static_cast<std::size_t>(k)] += take_sum(
            scratch + layer.weight_sums + layer.weight_sum(r, k), layer.weight_sum_lanes());
      }
      if (first && net.time) {
        weights[row * length + static_cast<std::size_t>(net.time_column())] +=
            take_sum(scratch + net.time_sums + row * sum_lanes, sum_lanes);
      }
      if (layer.by_lane) continue;
      gradient[layer.bias - base + row] +=
          take_sum(scratch + layer.bias_sums + row * sum_lanes, sum_lanes);
    }
  }
}

}  // namespace ito
