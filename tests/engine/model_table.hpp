#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <ito/model.hpp>

#include "engine/any_plan.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {

enum class X0 { from_model, shared, per_path };

/// A model with everything a call needs. All numbers are float32 values, so every engine is given
/// the same.
struct ModelCase {
  std::string name;
  Model model;
  X0 x0 = X0::from_model;
  std::uint64_t observations = 1;
  std::uint64_t seed = 0;
  std::uint64_t first_path = 0;

  ChainInputs inputs(std::uint64_t paths) const;
  /// `paths` spread over the observations; the last ones stay empty where paths are too few.
  Call call(std::uint64_t paths) const;
};

inline void PrintTo(const ModelCase& row, std::ostream* out) { *out << row.name; }
inline std::string case_name(const ::testing::TestParamInfo<ModelCase>& info) {
  return info.param.name;
}

/// Every drift × diffusion × control that go together, every activation in every place, and the
/// corners: context, initial states, grids, saves, sizes.
const std::vector<ModelCase>& model_table();

/// The rows an engine is held to: all of them, or for an emulated one those of one drift with every
/// diffusion and control, and every corner.
std::vector<ModelCase> model_table(const EngineKind& kind);

/// What a gradient may be off by. The slope of a relu jumps, and 16-bit factors put a unit of one
/// path in a hundred on its other side: that path alone is most of the error of `fast` then.
double gradient_tolerance(const EngineKind& kind, const Model& model);

/// A row of the table. Throws on an unknown name.
const ModelCase& model_case(const std::string& name);

/// Which outputs a loss looks at.
enum class LossTerm { all, states, energy, martingale, interval_energy, interval_martingale };
inline constexpr LossTerm every_loss_term[] = {
    LossTerm::all,        LossTerm::states,          LossTerm::energy,
    LossTerm::martingale, LossTerm::interval_energy, LossTerm::interval_martingale};

/// Cotangents in (−1, 1) for the outputs in the loss, none for the others.
PathValues random_cotangents(const Model& model, std::uint64_t paths, std::uint64_t seed,
                             LossTerm term = LossTerm::all);

/// Uniform float32 values in (−1, 1).
std::vector<double> random_values(std::size_t count, std::uint64_t seed);

/// Values for all parameters of a model that keep its paths of order 1.
std::vector<double> random_parameters(const Model& model, std::uint64_t seed);

}  // namespace ito::test
