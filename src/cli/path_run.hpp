#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <ito/device.hpp>
#include <ito/plan.hpp>

#include "cli/description.hpp"

namespace ito::cli {

/// What `ito simulate` and `ito gradient` have in common: a model, parameters, and which paths to
/// run.
struct PathArguments {
  std::string model;
  std::string parameters;
  std::uint64_t paths = 0;
  std::uint64_t seed = 0;
  std::uint64_t first_path = 0;
  std::uint64_t paths_per_observation = 0;
  std::string x0;
  std::string context;
  Execution execution{};
  bool prior = false;
  std::optional<Solver> solver;  ///< instead of the model's
  Precision precision = Precision::fp32;
  CudaKernels cuda_kernels = CudaKernels::automatic;
  int refinement = 0;

  /// Whether numbers are doubles: on the reference, and in fp64.
  bool in_double() const {
    return execution.device == Device::reference() || precision == Precision::fp64;
  }
  /// Of a plan for this run, float or double.
  PlanOptions plan_options() const {
    return {.precision = precision, .cuda_kernels = cuda_kernels};
  }
};

void add_path_options(CLI::App& command, PathArguments& arguments);

/// Those arguments read; double where they say so.
template <class Real>
struct PathRun {
  explicit PathRun(const PathArguments& arguments);

  Model model;
  std::vector<Real> parameters;  ///< the whole file's
  Parameters layout;             ///< the model's own tensors, a prefix of the file's
  std::vector<Real> x0, context;
  std::vector<std::size_t> x0_shape, context_shape;  ///< as given
  BasicRequest<Real> request;                        ///< views of the above
  /// Rows of context.
  std::size_t observations() const { return context_shape.size() == 3 ? context_shape[0] : 1; }
  PathRun(const PathRun&) = delete;
  PathRun& operator=(const PathRun&) = delete;
};

extern template struct PathRun<float>;
extern template struct PathRun<double>;

/// A line on standard error where some paths are not finite.
void warn_non_finite(std::uint64_t non_finite, std::uint64_t paths);

}  // namespace ito::cli
