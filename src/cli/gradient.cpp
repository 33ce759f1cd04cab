#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/output_file.hpp"
#include "cli/path_run.hpp"
#include "io/safetensors.hpp"
#include "model/check.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

/// The mean over finite paths of state·½|x_T|² + energy·E + martingale·M.
struct Loss {
  double state = 0, energy = 0, martingale = 0;
};

/// From {"state": a, "energy": b, "martingale": c}; what is left out is 0. Throws ito::Error.
Loss parse_loss(const std::string& text) {
  const std::string accepted = R"(an object like {"state": 1, "energy": 0.5, "martingale": 0})";
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || json.empty())
    throw Error("loss", "'" + shortened(text, 60) + "'", accepted);
  Loss loss;
  for (const auto& [key, value] : json.items()) {
    double* weight = key == "state"        ? &loss.state
                     : key == "energy"     ? &loss.energy
                     : key == "martingale" ? &loss.martingale
                                           : nullptr;
    if (weight == nullptr) throw Error("loss", "key '" + shortened(key, 60) + "'", accepted);
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      throw Error("loss", key + " " + shortened(value.dump(), 60), "a finite number there");
    *weight = value.get<double>();
  }
  return loss;
}

/// The loss of paths whose last save step is the end, with its derivatives.
template <class Real>
struct LossValue {
  double total = 0, state = 0, energy = 0, martingale = 0;  ///< the total, and its unweighted means
  std::vector<Real> state_cotangent, energy_cotangent, martingale_cotangent;
};
template <class Real>
LossValue<Real> evaluate_loss(const Loss& loss, const BasicPaths<Real>& paths, const Model& model) {
  const auto d = static_cast<std::size_t>(model.state);
  const std::size_t n = paths.size(), saves = model.save.size();
  const std::uint64_t finite = n - paths.non_finite();
  if (finite == 0)
    throw Error("ito gradient", "no finite path", "parameters under which some path stays finite");
  const double share = 1.0 / static_cast<double>(finite);

  LossValue<Real> value;
  value.state_cotangent.assign(n * saves * d, Real{0});
  value.energy_cotangent.assign(n, static_cast<Real>(share * loss.energy));
  value.martingale_cotangent.assign(n, static_cast<Real>(share * loss.martingale));
  for (std::size_t i = 0; i < n; ++i) {
    if (paths.status()[i] != 0) continue;  // the adjoint leaves these out as well
    for (std::size_t j = 0; j < d; ++j) {
      const std::size_t last = (i * saves + saves - 1) * d + j;
      const auto x = static_cast<double>(paths.states()[last]);
      value.state += 0.5 * x * x * share;
      value.state_cotangent[last] = static_cast<Real>(share * loss.state * x);
    }
    value.energy += static_cast<double>(paths.energy()[i]) * share;
    value.martingale += static_cast<double>(paths.martingale()[i]) * share;
  }
  value.total =
      loss.state * value.state + loss.energy * value.energy + loss.martingale * value.martingale;
  return value;
}

struct GradientArguments {
  PathArguments run;
  Loss loss;
  GradientMethod method = GradientMethod::adjoint;
  AdjointOptions options;
  std::optional<std::size_t> workspace_limit;
  bool json = false;
  std::string out;
};

/// Of one x0 given for all paths: the sum over them. Of one for each: as it is.
template <class Real>
std::vector<Real> x0_gradient(const PathRun<Real>& run, const std::vector<Real>& by_path) {
  if (run.x0.size() == by_path.size()) return by_path;
  std::vector<double> sums(run.x0.size());
  for (std::size_t i = 0; i < by_path.size(); ++i)
    sums[i % sums.size()] += static_cast<double>(by_path[i]);
  return {sums.begin(), sums.end()};
}

template <class Real>
void write(const OutputFile& out, const PathRun<Real>& run, const BasicGradient<Real>& gradient) {
  std::vector<ArrayView> arrays;
  const std::span<const Real> values = gradient.parameters;
  for (const Tensor& tensor : run.layout.tensors())
    arrays.emplace_back(tensor.name, tensor.shape, values.subspan(tensor.offset, tensor.size));
  const std::vector<Real> x0 = run.x0.empty() ? run.x0 : x0_gradient(run, gradient.x0);
  if (!run.x0.empty()) arrays.emplace_back("x0", run.x0_shape, std::span<const Real>(x0));
  if (!run.context.empty())
    arrays.emplace_back("context", run.context_shape, std::span<const Real>(gradient.context));
  out.write([&](const auto& file) { write_safetensors(file, arrays); });
}

template <class Real>
void report(const OutputFile& out, const GradientArguments& arguments,
            const BasicPaths<Real>& paths, const LossValue<Real>& loss,
            const BasicGradient<Real>& gradient) {
  double squares = 0;
  for (const Real value : gradient.parameters)
    squares += static_cast<double>(value) * static_cast<double>(value);
  if (arguments.json) {
    const nlohmann::ordered_json object{{"loss", loss.total},
                                        {"state", loss.state},
                                        {"energy", loss.energy},
                                        {"martingale", loss.martingale},
                                        {"gradient_norm", std::sqrt(squares)},
                                        {"paths", paths.size()},
                                        {"non_finite", paths.non_finite()},
                                        {"peak_memory", peak_memory()}};
    out.say(json_text(object));
    return;
  }
  out.say(fmt::format("loss           {}\n", loss.total));
  out.say(fmt::format("gradient norm  {}\n", std::sqrt(squares)));
  out.say(fmt::format("written to     {}\n", out.name()));
}

/// Refuses more paths than the machine's memory holds: states and sums, their cotangents, the
/// gradient and what the way back needs.
template <class Real>
void require_memory(const PathRun<Real>& run, const BasicPlan<Real>& plan) {
  const auto& request = run.request;
  const double paths = static_cast<double>(request.paths), state = run.model.state;
  double bytes = paths * (3 * state + 4) * sizeof(Real) + paths;
  bytes += static_cast<double>(2 * run.x0.size() + 3 * run.context.size()) * sizeof(Real);
  bytes += 3.0 * static_cast<double>(run.parameters.size()) * sizeof(Real);
  const auto check = [&] {
    check_memory("request.paths", request.paths, {.beside = bytes},
                 "fewer at a time: --first-path goes on where a run ended");
  };
  check();  // first without the workspace, whose own limit is then the one that matters
  if (plan.device().kind() == Device::Kind::cuda) return;
  bytes += static_cast<double>(plan.workspace_bytes(request.paths, run.observations()));
  check();
}

template <class Real>
int differentiate(const OutputFile& out, const GradientArguments& arguments) {
  const PathRun<Real> run(arguments.run);
  const auto steps = static_cast<int>(run.model.grid.size()) - 1;
  if (run.model.save.back() != steps) {
    throw Error(
        "save", fmt::format("{} as the last step", run.model.save.back()),
        fmt::format("a list that ends with step {}: the loss is of the state there", steps));
  }
  // The loss sees the end alone, and saving fewer steps changes no path.
  Model model = run.model;
  model.save = {steps};
  PlanOptions options = arguments.run.plan_options();
  options.workspace_limit = arguments.workspace_limit;
  options.gradient = arguments.method;
  BasicPlan<Real> plan(model, arguments.run.execution, options);
  require_memory(run, plan);
  const BasicRecording<Real> recording = plan.record(run.parameters, run.request);
  const BasicPaths<Real>& paths = recording.paths();
  warn_non_finite(paths.non_finite(), paths.size());
  const LossValue<Real> value = evaluate_loss(arguments.loss, paths, model);
  const BasicGradient<Real> gradient = plan.adjoint(run.parameters, recording,
                                                    {.states = value.state_cotangent,
                                                     .energy = value.energy_cotangent,
                                                     .martingale = value.martingale_cotangent},
                                                    arguments.options);
  write(out, run, gradient);
  report(out, arguments, paths, value, gradient);
  return 0;
}

int gradient(const GradientArguments& arguments) {
  const OutputFile out("--out", arguments.out, OutputFile::Kind::binary);
  return arguments.run.in_double() ? differentiate<double>(out, arguments)
                                   : differentiate<float>(out, arguments);
}

}  // namespace

void add_gradient(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "gradient", "Differentiate a loss of paths; write the gradient under the parameters' names");
  auto arguments = std::make_shared<GradientArguments>();
  add_path_options(*command, arguments->run);
  add_value(*command, "--loss", arguments->loss,
            R"(Weights {"state": a, "energy": b, "martingale": c} of the mean over paths of )"
            "a ½|x_T|² + b E + c M",
            parse_loss)
      ->required();
  add_name(*command, "--method", arguments->method,
           "How the gradient is computed; `ito solvers` lists the methods", parse_gradient_method);
  command->add_flag("--detach-state", arguments->options.detach_state,
                    "Differentiate only through u evaluated on the fixed path");
  command->add_flag("--detach-martingale-parameters",
                    arguments->options.detach_martingale_parameters,
                    "Drop the martingale's explicit dependence on parameters");
  add_whole_number(
      *command, "--workspace-limit", arguments->workspace_limit,
      "Bytes to store states in; with less, steps are recomputed from checkpoints. Without: "
      "256 MiB, and on a GPU a 16th of its memory where that is more");
  command->add_flag("--json", arguments->json, "Print the loss as one JSON object");
  add_output_file(*command, arguments->out, "File to write (safetensors)")->required();
  set_action(*command, action, arguments, gradient);
}

}  // namespace ito::cli
