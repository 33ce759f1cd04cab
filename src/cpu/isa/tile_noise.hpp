#pragma once

#include <ito/noise.hpp>

#include "cpu/isa/noise.hpp"
#include "cpu/kernels.hpp"
#include "kernels/arithmetic/refinement.cuh"

namespace ito::cpu {
inline namespace ITO_CPU_ISA {

inline constexpr auto path_stream = static_cast<unsigned>(NoiseStream::path);
inline constexpr auto area_stream = static_cast<unsigned>(NoiseStream::area);

/// The normals of step k of a tile at the call's refinement, into the places z and, unless null,
/// area: [noise, tile_paths].
template <class Arch>
class TileNoise {
  using L = Lanes<Arch>;

 public:
  TileNoise(const TileModel& model, const TileCall& call) : model_(model), call_(call) {}

  void draw_step(int k, float* z, float* area) const {
    if (call_.refinement == 0) {
      draw(path_stream, k, z);
      if (area) draw(area_stream, k, area);
    } else if (call_.refinement < 0) {
      coarse(k, z, area);
    } else {
      fine(k, z, area ? area : at(model_.spare_area));
    }
  }

 private:
  float* at(std::size_t place) const { return call_.scratch + place; }
  void draw(unsigned stream, int step, float* out) const {
    tile_normals<Arch>(call_.seed, call_.tile, static_cast<std::uint32_t>(step), stream,
                       model_.noise, out);
  }

  template <class Each>
  void for_lanes(Each each) const {
    for (int i = 0; i < model_.noise * tile_paths; i += lane_count<Arch>) each(i);
  }

  /// The sum of 2^−ℓ steps. Without `area` their areas are not drawn.
  void coarse(int k, float* z, float* area) const {
    const int count = 1 << -call_.refinement;
    const L share(1.0f / static_cast<float>(count));
    const L root = xsimd::sqrt(share);
    float* step_z = at(model_.spare_first);
    float* step_area = at(model_.spare_second);
    float* integral = at(model_.spare_area);
    for_lanes([&](int i) {
      L(0.0f).store_aligned(z + i);
      L(0.0f).store_aligned(integral + i);
      L(0.0f).store_aligned(step_area + i);
    });
    for (int step = 0; step < count; ++step) {
      draw(path_stream, k * count + step, step_z);
      if (area) draw(area_stream, k * count + step, step_area);
      for_lanes([&](int i) {
        const auto sum =
            append_step<L>({load<Arch>(z + i), load<Arch>(integral + i)},
                           {load<Arch>(step_z + i), load<Arch>(step_area + i)}, share, root);
        sum.w.store_aligned(z + i);
        sum.integral.store_aligned(integral + i);
      });
    }
    if (!area) return;
    for_lanes([&](int i) {
      whole_step<L>({load<Arch>(z + i), load<Arch>(integral + i)}).area.store_aligned(area + i);
    });
  }

  /// Halves a step of the noise's own grid ℓ times.
  void fine(int k, float* z, float* area) const {
    const int levels = call_.refinement;
    draw(path_stream, k >> levels, z);
    draw(area_stream, k >> levels, area);
    float* first = at(model_.spare_first);
    float* second = at(model_.spare_second);
    for (int level = 1; level <= levels; ++level) {
      const int half = k >> (levels - level);
      draw(bridge_stream(level, 0), half >> 1, first);
      draw(bridge_stream(level, 1), half >> 1, second);
      for_lanes([&](int i) {
        const auto part =
            half_step<L>({load<Arch>(z + i), load<Arch>(area + i)}, load<Arch>(first + i),
                         load<Arch>(second + i), half % 2 != 0);
        part.z.store_aligned(z + i);
        part.area.store_aligned(area + i);
      });
    }
  }

  const TileModel& model_;
  const TileCall& call_;
};

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
