#include "cli/path_run.hpp"

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/file_options.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/path_arrays.hpp"
#include "cli/usage_error.hpp"

namespace ito::cli {
namespace {

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
  add_input(command, "MODEL.json", arguments.model, "Model description")->required();
  add_input(command, "--params", arguments.parameters,
            "Parameters (safetensors); of a latent model, all of them")
      ->required();
  add_paths(command, "--paths", arguments.paths, "Number of paths", 1)->required();
  add_whole_number(command, "--seed", arguments.seed, "Seed of the noise");
  add_paths(command, "--first-path", arguments.first_path,
            "Global index of the first path; splitting a run changes no path", 0);
  add_input(command, "--x0", arguments.x0,
            "Initial states, .npy or .npz: [paths, state] or one [state] for all, or x of "
            "what `ito simulate` wrote, at its last save step; else drawn from the model");
  add_input(command, "--context", arguments.context,
            "Context, .npy or .npz: [observations, intervals, size], of a control that "
            "takes one");
  add_paths(command, "--paths-per-observation", arguments.paths_per_observation,
            "Paths that share one observation's context; 0: paths divided by "
            "observations",
            0);
  add_device(command, arguments.execution.device);
  add_threads(command, arguments.execution.threads);
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
    auto array = read_x0<Real>(arguments.x0, static_cast<std::size_t>(model.state));
    x0 = std::move(array.values), x0_shape = std::move(array.shape);
    request.x0 = x0;
  }
  if (arguments.context.empty() && context_size(model) > 0) {
    throw Error(
        "--context", "none",
        fmt::format("an array whose last axis has the {} numbers the control takes, or --prior",
                    context_size(model)));
  }
  if (!arguments.context.empty()) {
    if (context_size(model) == 0) {
      throw Error("--context", fmt::format("'{}'", arguments.context),
                  "no context: this model's control takes none");
    }
    auto array = read_context<Real>(arguments.context, context_size(model));
    context = std::move(array.values), context_shape = std::move(array.shape);
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
