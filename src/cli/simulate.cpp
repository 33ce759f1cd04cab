#include <string>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/options.hpp"
#include "cli/output_file.hpp"
#include "cli/path_run.hpp"
#include "io/npy.hpp"

namespace ito::cli {
namespace {

struct SimulateArguments {
  PathArguments run;
  bool intervals = false;
  std::string out;
};

template <class Real>
void write(const OutputFile& out, const SimulateArguments& arguments, const Model& model,
           const BasicPaths<Real>& paths) {
  const std::size_t n = paths.size(), saves = model.save.size();
  const auto view = [](const auto& values) { return std::span(values); };
  std::vector<ArrayView> arrays;
  arrays.emplace_back("x", std::vector{n, saves, static_cast<std::size_t>(model.state)},
                      view(paths.states()));
  arrays.emplace_back("energy", std::vector{n}, view(paths.energy()));
  arrays.emplace_back("martingale", std::vector{n}, view(paths.martingale()));
  arrays.emplace_back("status", std::vector{n}, view(paths.status()));
  if (arguments.intervals) {
    const std::vector shape{n, saves};
    arrays.emplace_back("interval_energy", shape, view(paths.interval_energy()));
    arrays.emplace_back("interval_martingale", shape, view(paths.interval_martingale()));
  }
  out.write([&](const auto& file) { write_npz(file, arrays); });
}

template <class Real>
int run_paths(const OutputFile& out, const SimulateArguments& arguments) {
  const PathRun<Real> run(arguments.run);
  BasicPlan<Real> plan(run.model, arguments.run.execution, arguments.run.plan_options());
  const BasicPaths<Real> paths =
      plan.simulate(run.parameters, run.request, {.intervals = arguments.intervals});
  warn_non_finite(paths.non_finite(), paths.size());
  write(out, arguments, run.model, paths);
  out.say(fmt::format("{} paths of {} steps, {} saved, written to {}\n", paths.size(),
                      run.model.grid.size() - 1, run.model.save.size(), out.name()));
  return 0;
}

int simulate(const SimulateArguments& arguments) {
  const OutputFile out("--out", arguments.out, OutputFile::Kind::binary);
  return arguments.run.in_double() ? run_paths<double>(out, arguments)
                                   : run_paths<float>(out, arguments);
}

}  // namespace

void add_simulate(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "simulate",
      "Run paths; write x [paths, saves, state], energy, martingale and status [paths] as .npz");
  auto arguments = std::make_shared<SimulateArguments>();
  add_path_options(*command, arguments->run);
  command->add_flag(
      "--intervals", arguments->intervals,
      "Also interval_energy and interval_martingale [paths, saves]: the parts between "
      "one save step and the next");
  add_output_file(*command, arguments->out, "File to write (.npz)")->required();
  set_action(*command, action, arguments, simulate);
}

}  // namespace ito::cli
