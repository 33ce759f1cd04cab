#pragma once

#include <cstdint>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <ito/plan.hpp>

namespace ito::test {

/// An engine as a test parameter. A new engine adds one entry to `engines()`.
struct EngineKind {
  std::string name;
  Device device;
  bool double_precision = false;
  /// Norm-wise relative errors against exact arithmetic (README, "Numbers").
  double state_tolerance = 0;
  double gradient_tolerance = 0;
  /// Paths that a statistical test can afford.
  std::uint64_t sample = 0;
  Precision precision = Precision::fp32;
  /// Its kernels run on the host, a thread a fiber: too slow for samples that say something and for
  /// every row of the model table.
  bool emulated = false;
  CudaKernels kernels = CudaKernels::automatic;
};

/// The CUDA engine in all its precisions: on a device where there is one, and emulated otherwise.
const std::vector<EngineKind>& cuda_engines();

/// The same with layered kernels, whatever the model. Emulated, their blocks are of 64 paths.
const std::vector<EngineKind>& layered_engines();

/// The engines that run on this machine.
inline const std::vector<EngineKind>& host_engines() {
  static const std::vector<EngineKind> all{
      // 1e4 roundings of 1.1e-16 at most between an input and an output.
      {"reference64", Device::reference(), true, 1e-12, 1e-12, 20'000},
      // Rounds once, where results leave: 6e-8.
      {"reference", Device::reference(), false, 1e-7, 1e-7, 20'000},
      {"cpu", Device::cpu(), false, 1e-5, 1e-4, 200'000},
  };
  return all;
}

/// All engines that hold to a tolerance near rounding: every one but `cuda_fast`.
inline const std::vector<EngineKind>& engines() {
  static const std::vector<EngineKind> all = [] {
    std::vector<EngineKind> kinds = host_engines();
    for (const EngineKind& kind : cuda_engines()) {
      if (kind.precision != Precision::fast) kinds.push_back(kind);
    }
    return kinds;
  }();
  return all;
}

/// The engines, and both other kinds of CUDA kernels.
const std::vector<EngineKind>& engines_of_every_kernel();

/// All engines whose samples are large enough for statistics.
inline const std::vector<EngineKind>& sampling_engines() {
  static const std::vector<EngineKind> all = [] {
    std::vector<EngineKind> kinds = engines();
    std::erase_if(kinds, [](const EngineKind& kind) { return kind.emulated; });
    return kinds;
  }();
  return all;
}

inline const EngineKind& engine(std::string_view name) {
  for (const EngineKind& kind : engines()) {
    if (kind.name == name) return kind;
  }
  throw std::logic_error("no engine of that name");
}

inline std::string engine_name(const ::testing::TestParamInfo<EngineKind>& info) {
  return info.param.name;
}
inline void PrintTo(const EngineKind& kind, std::ostream* out) { *out << kind.name; }

/// A BasicRequest that owns its numbers, in double precision for every engine.
struct Call {
  std::uint64_t paths = 1;
  std::uint64_t seed = 0;
  std::uint64_t first_path = 0;
  std::vector<double> x0{};
  std::vector<double> context{};
  std::uint64_t paths_per_observation = 0;
  int refinement = 0;
  std::vector<ObservationGrid> grids{};

  std::uint64_t observations() const {
    return paths_per_observation == 0 ? 1 : (paths - 1) / paths_per_observation + 1;
  }
};

/// BasicOutputs and BasicCotangents that own their numbers.
struct PathValues {
  std::vector<double> states, energy, martingale, interval_energy, interval_martingale;
  std::vector<std::uint8_t> status;

  bool operator==(const PathValues&) const = default;
};

struct GradientValues {
  std::vector<double> parameters, x0, context;

  bool operator==(const GradientValues&) const = default;
};

/// Whether the relative error of each part is at most `tolerance`.
::testing::AssertionResult are_close(const GradientValues& got, const GradientValues& wanted,
                                     double tolerance);

/// BasicDirections that own their numbers.
struct DirectionValues {
  std::size_t count = 0;
  std::vector<double> parameters{}, x0{}, context{};
};

/// A plan of the kind; the emulated device is put in its place when it is first asked for.
template <class Real>
BasicPlan<Real> make_plan(const EngineKind& kind, const Model& model, PlanOptions options = {},
                          int threads = 0);

/// A Plan on any engine. Numbers cross as doubles, so tests read alike; a float is a double without
/// change, so equality here is equality of bits (but for the sign of zero).
class AnyPlan {
 public:
  AnyPlan(const EngineKind& kind, const Model& model, PlanOptions options = {}, int threads = 0);

  PathValues simulate(const std::vector<double>& parameters, const Call& call);
  /// The same by caller-owned memory.
  PathValues simulate_in_workspace(const std::vector<double>& parameters, const Call& call);
  /// Empty cotangents are passed on as empty spans.
  GradientValues adjoint(const std::vector<double>& parameters, const Call& call,
                         const PathValues& cotangents, AdjointOptions options = {});
  /// The same by caller-owned memory, from the second adjoint of a recording.
  GradientValues adjoint_in_workspace(const std::vector<double>& parameters, const Call& call,
                                      const PathValues& cotangents, AdjointOptions options = {});
  /// What `simulate` returns, differentiated along directions, which are the leading axis.
  PathValues tangents(const std::vector<double>& parameters, const Call& call,
                      const DirectionValues& directions);
  PathValues jacobian(const std::vector<double>& parameters, const Call& call, std::size_t first,
                      std::size_t count);
  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations = 1) const;
  std::size_t simulate_workspace_bytes(std::uint64_t paths, std::uint64_t observations = 1) const;
  std::size_t parameter_count() const;
  const Model& model() const;

 private:
  std::variant<Plan, DoublePlan> plan_;
};

}  // namespace ito::test
