#pragma once

#include "cpu/tile_runner.hpp"
#include "engine/call.hpp"

namespace ito::cpu {

/// Where a run along directions finds them; a null array is zero.
struct DirectionArrays {
  const float* parameters;    ///< [directions, P]
  const float* x0 = nullptr;  ///< that of direction q and path i at q·x0_direction + i·x0_path
  std::size_t x0_direction = 0, x0_path = 0;
  const float* context = nullptr;  ///< that of q and observation r at q·context_direction + r·…_row
  std::size_t context_direction = 0, context_row = 0;
};

/// Takes one tile through a whole call along directions: the sensitivity equations beside the
/// paths.
class DirectionRunner : public TileRunner {
 public:
  using TileRunner::TileRunner;

  /// Tangents of directions first … first + count − 1 of a call's `outputs`, which `arrays` holds
  /// from direction 0 on.
  void tangents(const DirectionArrays& arrays, std::size_t first, std::size_t count,
                const BasicOutputs<float>& outputs);
  /// Adds the tile's gradient, a block of unit directions at a time; `buffer` is
  /// [directions_at_once, P + d + I·C] zeros.
  void gradient(const BasicCotangents<float>& cotangents,
                const BasicGradientOutputs<float>& gradient, std::uint64_t chunk, float* buffer);

 private:
  template <class Save, class Finish>
  void run_along(const DirectionArrays& arrays, std::size_t count, Save save, Finish finish);
  void load_initial_tangents(const DirectionArrays& arrays, std::size_t count);
  void set_bias_tangent(const TileNet& net, const float* along, const float* context,
                        const float* context_tangent, float* rows) const;
  void set_interval_tangents(const DirectionArrays& arrays, std::size_t count, int k);
  void add_product(std::size_t q, const BasicCotangents<float>& cotangents, LaneList lanes,
                   std::size_t s, double* products) const;
};

}  // namespace ito::cpu
