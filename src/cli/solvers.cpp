#include <string>

#include <fmt/format.h>
#include <ito/gradient_method.hpp>
#include <ito/solver.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace ito::cli {
namespace {

constexpr NoiseKind noise_kinds[] = {NoiseKind::additive, NoiseKind::scalar, NoiseKind::diagonal,
                                     NoiseKind::general};

std::string orders(const SolverProperties& solver, NoiseKind kind) {
  if (!solver.takes(kind)) return "–";
  return fmt::format("{} / {}", solver.strong_order(kind), solver.weak_order(kind));
}

const char* yes_or_no(bool value) { return value ? "yes" : "no"; }

void print_tables() {
  const auto row = [](auto... cells) {
    print(
        fmt::format("{:<16} {:<13} {:<10} {:<10} {:<10} {:<10} {:<8} {:<11} {:<7} {}\n", cells...));
  };
  print("Solvers, with their strong / weak orders by the kind of noise (–: not taken)\n\n");
  row("solver", "calculus", "additive", "scalar", "diagonal", "general", "weights", "reversible",
      "stages", "source");
  for (const SolverProperties& solver : solvers()) {
    row(solver.name, name(solver.calculus), orders(solver, NoiseKind::additive),
        orders(solver, NoiseKind::scalar), orders(solver, NoiseKind::diagonal),
        orders(solver, NoiseKind::general), solver.exact_weight ? "exact" : "to order",
        yes_or_no(solver.reversible), std::to_string(solver.stages), solver.source);
  }
  print(
      "\nA model in the other calculus is converted. Weights: whether exp(-M - E) is exactly the\n"
      "ratio of the two discrete chains' densities. Every device takes every solver.\n\n");
  print("Gradient methods (ito gradient --method)\n\n");
  for (const GradientMethodProperties& method : gradient_methods()) {
    print(fmt::format("{:<20} {}\n", method.name, method.meaning));
  }
  print("\nEvery device takes every method.\n");
}

void print_json() {
  nlohmann::ordered_json table = nlohmann::ordered_json::array();
  for (const SolverProperties& solver : solvers()) {
    nlohmann::ordered_json strong, weak;
    for (const NoiseKind kind : noise_kinds) {
      if (!solver.takes(kind)) continue;
      strong[std::string(name(kind))] = solver.strong_order(kind);
      weak[std::string(name(kind))] = solver.weak_order(kind);
    }
    table.push_back({{"name", solver.name},
                     {"calculus", name(solver.calculus)},
                     {"strong_order", strong},
                     {"weak_order", weak},
                     {"exact_weight", solver.exact_weight},
                     {"reversible", solver.reversible},
                     {"stages", solver.stages},
                     {"source", solver.source}});
  }
  nlohmann::ordered_json methods = nlohmann::ordered_json::array();
  for (const GradientMethodProperties& method : gradient_methods()) {
    methods.push_back({{"name", method.name}, {"meaning", method.meaning}});
  }
  print(nlohmann::ordered_json{{"solvers", table}, {"methods", methods}}.dump(2) + "\n");
}

}  // namespace

void add_solvers(CLI::App& program, Action& action) {
  auto* command = program.add_subcommand(
      "solvers", "List the solvers with what is declared of them, and the gradient methods");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->callback([json, &action] {
    action = [json] {
      *json ? print_json() : print_tables();
      return 0;
    };
  });
}

}  // namespace ito::cli
