#include <ito/solver.hpp>

#include "model/text.hpp"

namespace ito {
namespace {

constexpr SolverProperties solver_table[] = {
    {Solver::euler_maruyama,
     "euler-maruyama",
     Calculus::ito,
     {1.0, 0.5, 0.5, 0.5},
     {1.0, 1.0, 1.0, 1.0},
     true,
     false,
     1,
     "Maruyama (1955)"},
    {Solver::milstein,
     "milstein",
     Calculus::stratonovich,
     {1.0, 1.0, 1.0, 0.5},
     {1.0, 1.0, 1.0, 1.0},
     true,
     false,
     1,
     "Kloeden & Platen (1992), 11.1, without derivatives"},
    {Solver::heun,
     "heun",
     Calculus::stratonovich,
     {1.0, 1.0, 1.0, 0.5},
     {2.0, 1.0, 1.0, 1.0},
     false,
     false,
     2,
     "Rümelin (1982)"},
    {Solver::midpoint,
     "midpoint",
     Calculus::stratonovich,
     {1.0, 1.0, 1.0, 0.5},
     {1.0, 1.0, 1.0, 1.0},
     false,
     false,
     2,
     "Rümelin (1982)"},
    {Solver::reversible_heun,
     "reversible-heun",
     Calculus::stratonovich,
     {1.0, 0.5, 0.5, 0.5},
     {1.0, 1.0, 1.0, 1.0},
     false,
     true,
     2,
     "Kidger, Foster, Li & Lyons (2021)"},
    {Solver::sra1,
     "sra1",
     Calculus::ito,
     {1.5, 0.0, 0.0, 0.0},
     {2.0, 0.0, 0.0, 0.0},
     false,
     false,
     2,
     "Rößler (2010), SRA1"},
    {Solver::ri6,
     "ri6",
     Calculus::ito,
     {1.0, 1.0, 1.0, 0.5},
     {2.0, 2.0, 2.0, 2.0},
     false,
     false,
     2,
     "Rößler (2009), RI6"},
};

constexpr std::string_view calculus_names[] = {"ito", "stratonovich"};

}  // namespace

std::span<const SolverProperties> solvers() { return solver_table; }
const SolverProperties& properties(Solver solver) {
  return solver_table[static_cast<std::size_t>(solver)];
}

std::string_view name(Solver solver) { return properties(solver).name; }
std::string_view name(Calculus calculus) {
  return calculus_names[static_cast<std::size_t>(calculus)];
}
std::string_view name(NoiseKind kind) {
  constexpr std::string_view names[] = {"additive", "scalar", "diagonal", "general"};
  return names[static_cast<std::size_t>(kind)];
}

Solver parse_solver(std::string_view text) {
  return parse_name<Solver>(solver_table, text, "solver", &SolverProperties::name);
}
Calculus parse_calculus(std::string_view text) {
  return parse_name<Calculus>(calculus_names, text, "calculus");
}

}  // namespace ito
