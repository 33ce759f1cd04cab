#include "cli/path_run.hpp"

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/file_options.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "io/array_file.hpp"

namespace ito::cli {
namespace {

std::size_t context_size(const Model& model) {
  const std::size_t own = std::visit(
      [](const auto& control) -> std::size_t {
        if constexpr (requires { control.context; })
          return static_cast<std::size_t>(control.context);
        else
          return 0;
      },
      model.control);
  return static_cast<std::size_t>(model.inputs) + own;
}

Array read(const std::string& option, const std::string& file,
           const std::vector<std::string_view>& names) {
  try {
    return read_array(file, names);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", option, error.what()));
  }
}

[[noreturn]] void refuse_shape(const std::string& option, const Array& array,
                               const std::string& accepted) {
  throw Error(option, "shape " + to_string(array.shape), accepted);
}

/// Numbers that an option reads from a .npy or .npz file.
template <class Real>
struct PathArray {
  std::vector<std::size_t> shape;
  std::vector<Real> values;
};

/// The numbers as they are. Refuses one that is not finite as a Real; rows are along the last axis.
template <class Real>
PathArray<Real> converted(const std::string& option, const std::string& file, Array array) {
  const std::size_t width = array.shape.back();
  PathArray<Real> result{.shape = std::move(array.shape), .values = {}};
  result.values.reserve(array.size());
  with_type(array.type, [&](auto element) {
    for (const auto value : array.values<decltype(element)>()) {
      const auto wide = static_cast<double>(value);
      if (!(std::abs(wide) <= static_cast<double>(std::numeric_limits<Real>::max()))) {
        const std::size_t place = result.values.size();
        throw Error(fmt::format("{}: {}, row {}, column {}", option, file, place / width + 1,
                                place % width + 1),
                    fmt::format("{}", wide),
                    fmt::format("finite numbers up to {:.1e}",
                                static_cast<double>(std::numeric_limits<Real>::max())));
      }
      result.values.push_back(static_cast<Real>(value));
    }
  });
  return result;
}

/// Of states [paths, saves, state] those at the last save, [paths, state].
Array last_save(const Array& x) {
  const std::size_t saves = x.shape[1], row = x.shape[2] * size_of(x.type);
  Array result{.name = x.name, .type = x.type, .shape = {x.shape[0], x.shape[2]}, .bytes = {}};
  for (std::size_t path = 0; path < x.shape[0]; ++path) {
    const auto begin =
        x.bytes.begin() + static_cast<std::ptrdiff_t>((path * saves + saves - 1) * row);
    result.bytes.insert(result.bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(row));
  }
  return result;
}

/// Of --x0: [paths, state] or one [state], or `x` [paths, saves, state] of a .npz file that `ito
/// simulate` wrote, whose last save it takes. Throws ito::Error naming the option, the file and
/// what is wrong: the shape, or the row and column of a number that is not finite.
template <class Real>
PathArray<Real> read_x0(const std::string& file, std::size_t state) {
  const std::string option = "--x0";
  Array array = read(option, file, {"x0", "x"});
  const bool simulated = array.name == "x" && array.shape.size() == 3;
  const bool fits = simulated || array.shape.size() == 1 || array.shape.size() == 2;
  // Transposed states would pass a check of their number.
  if (!fits || array.size() == 0 || array.shape.back() != state) {
    refuse_shape(option, array,
                 fmt::format("[paths, {0}] or [{0}], or x [paths, saves, {0}] of a .npz file that "
                             "`ito simulate` wrote",
                             state));
  }
  return converted<Real>(option, file, simulated ? last_save(array) : std::move(array));
}

/// Of --context: [observations, intervals, size], or fewer axes. Throws likewise.
template <class Real>
PathArray<Real> read_context(const std::string& file, std::size_t size) {
  const std::string option = "--context";
  Array array = read(option, file, {"context"});
  if (array.shape.empty() || array.shape.back() != size)
    refuse_shape(option, array, fmt::format("an array whose last axis has {} numbers", size));
  return converted<Real>(option, file, std::move(array));
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
  if (description.series)
    throw Error("MODEL.json", fmt::format("'{}', a model of series", arguments.model),
                "one with a grid; `ito sample` draws from a fitted model of series");
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
    const char* const accepted =
        model.inputs > 0 ? "an array whose last axis has the {} numbers of inputs and context"
                         : "an array whose last axis has the {} numbers the control takes, or "
                           "--prior";
    throw Error("--context", "none", fmt::format(fmt::runtime(accepted), context_size(model)));
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
