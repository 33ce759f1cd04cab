#include "cpu/gradient_sums.hpp"

#include <algorithm>

namespace ito {

double take_row_sum(float* row) {
  double sum = 0;
  for (int lane = 0; lane < tile_paths; ++lane) sum += row[lane];
  std::fill_n(row, tile_paths, 0.0f);
  return sum;
}

void take_net_sums(const TileNet& net, float* scratch, double* gradient, std::size_t base) {
  for (const TileLayer& layer : net.layers) {
    float* sums = scratch + layer.weight_sums;
    const int across = layer.wide ? padded(layer.outputs) : padded(layer.inputs);
    const auto length = static_cast<std::size_t>(layer.row_length);
    double* weights = gradient + (layer.weight - base);
    for (int r = 0; r < layer.outputs; ++r) {
      double* row = weights + static_cast<std::size_t>(r) * length;
      for (int k = 0; k < layer.inputs; ++k) {
        row[k] += layer.wide ? sums[k * across + r] : sums[r * across + k];
      }
    }
    std::fill_n(sums, layer.weight_sums_size(), 0.0f);
    const bool first = &layer == &net.layers.front();
    for (int r = 0; r < layer.outputs; ++r) {
      const auto offset = static_cast<std::size_t>(r) * tile_paths;
      if (first && net.time) {
        weights[static_cast<std::size_t>(r) * length +
                static_cast<std::size_t>(net.time_column())] +=
            take_row_sum(scratch + net.time_sums + offset);
      }
      if (first && net.context > 0) continue;
      gradient[layer.bias - base + static_cast<std::size_t>(r)] +=
          take_row_sum(scratch + layer.bias_sums + offset);
    }
  }
}

}  // namespace ito
