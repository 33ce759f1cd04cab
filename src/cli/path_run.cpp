#include "cli/path_run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ito/error.hpp>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/usage_error.hpp"
#include "io/npy.hpp"

namespace ito::cli {
namespace {

/// Refuses an array whose rows are not [size]: transposed ones would pass a check of their number.
void check_rows(const char* option, const std::vector<std::size_t>& shape, std::size_t size) {
  if (!shape.empty() && shape.back() == size) return;
  throw Error(option, fmt::format("shape [{}]", fmt::join(shape, ", ")),
              fmt::format("an array whose last axis has {} numbers", size));
}

template <class Real>
std::vector<Real> converted(const Array& array) {
  return with_type(array.type, [&](auto element) {
    const auto values = array.values<decltype(element)>();
    std::vector<Real> result;
    result.reserve(values.size());
    for (const auto value : values) result.push_back(static_cast<Real>(value));
    return result;
  });
}

std::size_t context_size(const Model& model) {
  return std::visit(
      [](const auto& control) -> std::size_t {
        if constexpr (requires { control.context; })
          return static_cast<std::size_t>(control.context);
        else
          return 0;
      },
      model.control);
}

}  // namespace

void add_path_options(CLI::App& command, PathArguments& arguments) {
  command.add_option("MODEL.json", arguments.model, "Model description")->required();
  command
      .add_option("--params", arguments.parameters,
                  "Parameters (safetensors); of a latent model, all of them")
      ->required();
  add_paths(command, "--paths", arguments.paths, "Number of paths", 1)->required();
  add_whole_number(command, "--seed", arguments.seed, "Seed of the noise");
  add_paths(command, "--first-path", arguments.first_path,
            "Global index of the first path; splitting a run changes no path", 0);
  command.add_option("--x0", arguments.x0,
                     "Initial states .npy, [paths, state] or one [state] for all; else drawn from "
                     "the model");
  command.add_option("--context", arguments.context,
                     "Context .npy, [observations, intervals, size], of a control that takes one");
  add_paths(command, "--paths-per-observation", arguments.paths_per_observation,
            "Paths that share one observation's context, a multiple of 16; 0: paths divided by "
            "observations",
            0);
  add_device(command, arguments.device);
  add_threads(command, arguments.threads);
  add_value(command, "--solver", arguments.solver,
            "Solver instead of the model's; `ito solvers` lists them", parse_solver);
  add_name(command, "--precision", arguments.precision,
           "fp32 on devices cpu and cuda; fast (16-bit factors) on cuda; fp64 on cuda and "
           "reference, which has no other",
           parse_precision);
  add_name(command, "--cuda-kernels", arguments.cuda_kernels,
           "On device cuda: fused (nets in registers), layered (nets as matrix products), per-path "
           "(any solver); auto chooses by solver and size of nets",
           parse_cuda_kernels);
  add_whole_number(command, "--refinement", arguments.refinement,
                   "The noise of a grid 2^l times coarser (l > 0) or finer (l < 0): the same "
                   "Brownian path at every step size",
                   -20, 20);
  command.add_flag("--prior", arguments.prior, "Leave the control out: paths of the prior");
}

template <class Real>
PathRun<Real>::PathRun(const PathArguments& arguments) {
  if (arguments.paths_per_observation > 0 && arguments.context.empty()) {
    throw UsageError("--paths-per-observation",
                     fmt::format("'{}' without --context", arguments.paths_per_observation),
                     "it with --context FILE");
  }
  const Description description = read_description(arguments.model);
  model = arguments.prior ? prior(description.model) : description.model;
  if (arguments.solver) model.solver = *arguments.solver;
  layout = zero_parameters(model);
  const Parameters loaded = load_safetensors(description.layout(), arguments.parameters);
  parameters.assign(loaded.values().begin(), loaded.values().end());

  request = {.paths = arguments.paths,
             .seed = arguments.seed,
             .first_path = arguments.first_path,
             .refinement = arguments.refinement};
  if (!arguments.x0.empty()) {
    Array array = read_npy(arguments.x0);
    check_rows("--x0", array.shape, static_cast<std::size_t>(model.state));
    x0 = converted<Real>(array), x0_shape = std::move(array.shape);
    request.x0 = x0;
  }
  if (arguments.context.empty() && context_size(model) > 0) {
    throw Error(
        "--context", "none",
        fmt::format("a .npy whose last axis has the {} numbers the control takes, or --prior",
                    context_size(model)));
  }
  if (!arguments.context.empty()) {
    if (context_size(model) == 0) {
      throw Error("--context", fmt::format("'{}'", arguments.context),
                  "no context: this model's control takes none");
    }
    Array array = read_npy(arguments.context);
    check_rows("--context", array.shape, context_size(model));
    context = converted<Real>(array), context_shape = std::move(array.shape);
    request.context = context;
    request.paths_per_observation = arguments.paths_per_observation;
    if (observations() > 1 && request.paths_per_observation == 0)
      request.paths_per_observation = arguments.paths / observations();
  }
}

template struct PathRun<float>;
template struct PathRun<double>;

void warn_non_finite(std::uint64_t non_finite, std::uint64_t paths) {
  if (non_finite == 0) return;
  print_message(fmt::format(
      "warning: {} of {} paths are not finite; smaller steps or a smaller diffusion may help",
      non_finite, paths));
}

}  // namespace ito::cli
