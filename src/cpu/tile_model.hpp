#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "engine/grid.hpp"
#include "engine/scheme_step.hpp"
#include "model/diffusion.hpp"
#include "model/scheme.hpp"
#include "model/shape.hpp"

namespace ito::cpu {

/// Paths a tile. A tile's arrays are rows of `tile_paths` floats, one row a channel.
inline constexpr int tile_paths = 64;

/// Floats a sum over a tile's paths is kept in, one for each lane of the widest vector.
inline constexpr int sum_lanes = 16;

/// `n` rounded up to whole vectors of the widest instruction set, so that layouts are the same on
/// all.
constexpr int padded(int n) { return (n + 15) / 16 * 16; }

// Within a tile the lanes hold paths in the order in which one Philox call serves two of them:
// vectors 2j and 2j+1 take counters jL … jL+L−1, the first as path%16 < 8 and the second as path%16
// ≥ 8.

/// Index within its tile of the path that vector `v`, lane `l` of width `width` holds.
constexpr int path_of_lane(int width, int v, int l) {
  const int counter = v / 2 * width + l;
  return counter / 8 * 16 + counter % 8 + v % 2 * 8;
}

/// Where arrays lie in a thread's scratch memory, in floats. Filled once, when the plan is made.
class ScratchLayout {
 public:
  explicit ScratchLayout(std::size_t reserved = 0) { floats(reserved); }

  /// `rows` rows of a tile.
  std::size_t rows(int rows) { return floats(static_cast<std::size_t>(rows) * tile_paths); }
  std::size_t floats(std::size_t count) {
    const std::size_t begin = size_;
    size_ += (count + 15) / 16 * 16;
    return begin;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

struct FreeAligned {
  void operator()(float* p) const { std::free(p); }
};
using AlignedFloats = std::unique_ptr<float[], FreeAligned>;

/// Zeroed floats, aligned for any vector and to a cache line. `count` is a multiple of 16.
inline AlignedFloats aligned_floats(std::size_t count) {
  auto* p = static_cast<float*>(std::aligned_alloc(64, (count + 16) * sizeof(float)));
  if (!p) throw std::bad_alloc();
  for (std::size_t i = 0; i < count; ++i) p[i] = 0.0f;
  return AlignedFloats(p);
}

/// A linear layer over a tile. Arrays are given by their place in the scratch memory.
struct TileLayer {
  int inputs;                ///< rows of its input array; a first layer's are the state's
  int outputs;               ///< rows of its output array
  int row_length;            ///< columns of its weight matrix, time and context included
  std::size_t weight, bias;  ///< in the flat parameters
  Activation activation;
  std::size_t values;  ///< [outputs, tile_paths]
  std::size_t
      slopes;  ///< [outputs, tile_paths], unless the activation's slope follows from its value
  /// Weight gradient summed over paths and steps. Where one side is thin, [thin side, other side,
  /// sum_lanes]. Else the longer side lies along the lanes, padded: [inputs, padded(outputs)] when
  /// `wide`, otherwise [outputs, padded(inputs)].
  std::size_t weight_sums;
  std::size_t bias_sums;  ///< [outputs, sum_lanes]; [outputs, tile_paths], by lane, with `by_lane`
  bool wide, thin;
  bool by_lane;  ///< a bias that differs from path to path: a first layer's, with a context

  std::size_t weight_sums_size() const;
  /// Where the sums of weight (r, k) are: `weight_sum_lanes()` floats.
  std::size_t weight_sum(int r, int k) const;
  int weight_sum_lanes() const { return thin ? sum_lanes : 1; }
  int bias_sum_lanes() const { return by_lane ? tile_paths : sum_lanes; }
};

/// A net over a tile.
struct TileNet {
  std::vector<TileLayer> layers;
  bool time;
  int context;             ///< context columns; they act through a bias row made outside the loop
  int bias_row = 0;        ///< where its numbers begin in one, with a context
  std::size_t first_bias;  ///< [outputs of the first layer]: its bias at the time at hand
  std::size_t time_sums;   ///< [outputs of the first layer, sum_lanes]: gradient of the time column
  std::size_t delta[2];    ///< [widest, tile_paths]
  std::size_t transposed;  ///< [tile_paths, padded(widest)]

  /// Reserves scratch; sums that gradients accumulate in are reserved from `sums`.
  TileNet(const NetShape& shape, ScratchLayout& scratch, ScratchLayout& sums);

  int time_column() const { return layers.front().inputs; }
  int context_column() const { return layers.front().inputs + (time ? 1 : 0); }
  std::size_t output() const { return layers.back().values; }
};

/// Adds a net's gradient sums to the flat gradient, whose element 0 is parameter `base`, and clears
/// them. The bias of a layer that takes a context is left to the caller.
void take_net_sums(const TileNet& net, float* scratch, double* gradient, std::size_t base = 0);

/// Sum of `count` floats, which are cleared.
double take_sum(float* lanes, int count);

/// Everything the CPU engine's time loop needs of a model, with the places of its arrays. Scratch
/// memory begins with the gradient sums, so that one fill clears them.
struct TileModel {
  /// What the model is to run besides a solver's own steps.
  struct Use {
    bool scheme = false;  ///< SchemeStep also where TileStep would do
    bool field = false;   ///< the stochastic adjoint
    int directions = 0;   ///< how many at once
  };
  TileModel(const ModelShape& shape, const Use& use);

  /// each(net) for those that take a part of a bias row.
  template <class Each>
  void for_row_nets(Each each) const {
    for (const auto* net : {&drift_net, &control_net}) {
      if (*net && (*net)->context > 0) each(**net);
    }
  }

  int state, noise, steps;
  DiffusionEntries entries;
  ControlKind control;
  bool constant_diffusion;  ///< learned, but not by a net
  float diffusion_scale, diffusion_floor;
  std::size_t control_value;    ///< in the flat parameters
  std::size_t diffusion_value;  ///< likewise
  std::vector<GridStep> grid;   ///< [steps]: the model's own

  ScratchLayout scratch;
  std::size_t control_sums;    ///< [noise, tile_paths], for a constant control
  std::size_t diffusion_sums;  ///< [entries, tile_paths], for a constant diffusion
  std::optional<TileNet> drift_net, diffusion_net, control_net;
  std::size_t sums_size;  ///< floats at the beginning of the scratch that are gradient sums

  /// Of a solver that TileStep does not take: its steps go through SchemeStep.
  std::optional<Scheme> scheme;
  std::optional<SchemePlaces> places;
  int carried, stored;  ///< rows of a chain (Scheme)
  /// The stochastic adjoint's, with x and λ as its chain, and what it keeps.
  std::optional<Scheme> field;
  std::optional<SchemePlaces> field_places;
  std::size_t kept, kept_cotangent;  ///< [2 state, tile_paths]
  /// A direction's tangents: of stages, of the chain [carried], of E, M and their intervals [4]
  /// with their excesses [4], of the context's bias row [bias_row].
  struct Along {
    std::vector<SchemePlaces::Values> stages;
    std::size_t chain, sums, lane_bias;
  };
  std::vector<Along> along;
  std::size_t parameters;  ///< in the flat vector

  std::size_t x, lambda;           ///< [carried, tile_paths]
  std::size_t increment;           ///< [state, tile_paths]: what a step adds to x or λ
  std::size_t energy, martingale;  ///< [2, tile_paths]: the sum and its compensation
  std::size_t interval_energy, interval_martingale;
  std::size_t energy_cotangent, martingale_cotangent;  ///< [tile_paths]
  /// [tile_paths]: 1, or 0 for a path that takes no part: not finite, or past its end.
  std::size_t active;
  std::size_t z, w, u, u_cotangent;  ///< [noise, tile_paths]
  std::size_t b_cotangent;           ///< [state, tile_paths]
  std::size_t sigma_cotangent;       ///< [entries, tile_paths]
  int bias_row;                      ///< numbers of a bias row (ModelShape)
  std::size_t lane_bias;             ///< [bias_row, tile_paths]
  /// [tile_paths]: t, h and √h where they differ by lane, and the time of a stage. Where they do
  /// not, a first vector of h and of √h may serve all.
  std::size_t lane_time, lane_h, lane_root_h, lane_stage_time;
  /// [noise, tile_paths], for normals of steps shorter or longer than the grid's
  std::size_t spare_first, spare_second, spare_area;
};

}  // namespace ito::cpu
