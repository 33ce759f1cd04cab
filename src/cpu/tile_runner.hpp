#pragma once

#include <cstdint>

#include "cpu/kernels.hpp"
#include "cpu/tile_grids.hpp"
#include "engine/call.hpp"

namespace ito::cpu {

/// One call's arrays in the workspace of the CPU engine. H = numbers of a bias row.
struct CpuWorkspace {
  Tape tape;
  float* sigma;               // [entries] of an identity or constant diffusion
  float* sigma_slope;         // [entries]: its derivative by the raw parameter
  float* bias_rows;           // [R, I, H]: W_c c + b
  float* states;              // [tiles, checkpoints, rows of an entry, tile_paths]
  float* segments;            // [threads, segment, stored, tile_paths]
  std::uint8_t* status;       // [tiles, tile_paths], by lane
  double* gradients;          // [chunks, P]
  double* row_gradients;      // [R + chunks, I, H]
  double* context_gradients;  // [R + chunks, I, C], of the pathwise method
  std::size_t bytes;
};

/// Everything the tiles of one call share.
struct CpuCall {
  const ModelShape& shape;
  const TileModel& model;
  const CpuKernels& kernels;
  std::span<const float> parameters;
  const BasicRequest<float>& request;
  const CpuWorkspace& space;
  const ObservationMap& map;
};

/// Takes one tile at a time through a whole call: initial states, saves, context steps, tape, and
/// the way back. Nothing here depends on the instruction set.
class TileRunner {
 public:
  /// `tile` counts from 0 within the call.
  TileRunner(const CpuCall& call, std::uint64_t tile, float* scratch);

  void simulate(const BasicOutputs<float>& outputs, bool record);
  /// Needs the tape of a recording `simulate`. `segment`: the thread's buffer of the workspace.
  void adjoint(const BasicCotangents<float>& cotangents,
               const BasicGradientOutputs<float>& gradient, AdjointOptions options,
               std::uint64_t chunk, float* segment);

 protected:
  /// Of a tile: those of one grid.
  using LaneList = std::span<const std::uint8_t>;

  float* at(std::size_t place) const { return tile_.scratch + place; }
  /// Numbers of `rows` rows.
  static std::size_t numbers(int rows) { return static_cast<std::size_t>(rows) * tile_paths; }
  ChainSize chain() const { return {numbers(call_.model.stored), numbers(call_.model.carried)}; }
  std::size_t saves() const { return call_.shape.save.size(); }
  /// That a path takes part in the call, as far as is known.
  bool has_path(std::size_t lane) const { return path_[lane] >= 0; }
  /// The tile's place on the tape.
  float* stored() const {
    const Tape& tape = call_.space.tape;
    return call_.space.states + index_ * tape.checkpoints * tape.entry(chain());
  }

  void load_initial();
  void start_chain(std::size_t place);
  void set_interval(int k);
  void run(int begin, int end, TapeSlice tape);
  void clear_sums();
  void save(const BasicOutputs<float>& outputs, LaneList lanes, std::size_t s);
  void finish(const BasicOutputs<float>& outputs, LaneList lanes, bool record);
  bool is_finite(std::size_t lane) const;

  void load_status();
  void start_back(const BasicCotangents<float>& cotangents, LaneList lanes);
  void load_sum_cotangents(const BasicCotangents<float>& cotangents, LaneList lanes, std::size_t s);
  void add_saved_cotangents(const BasicCotangents<float>& cotangents, LaneList lanes, std::size_t s,
                            bool states);
  const float* states_from(int begin, int end, float* segment);
  void reverse(int begin, int end, const float* states, AdjointOptions options);
  void take_sums(double* gradient);
  void take_row_sums(int k, std::uint64_t chunk);
  void reverse_initial(double* gradient);

  const CpuCall& call_;
  TileGrids grids_;
  TileCall tile_;
  std::uint64_t index_;
  std::int64_t path_[tile_paths];  ///< index in the call of each lane's path, or −1
  std::uint64_t row_[tile_paths];  ///< its observation
};

}  // namespace ito::cpu
