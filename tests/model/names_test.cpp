#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include <ito/fit.hpp>
#include <ito/plan.hpp>
#include <ito/solver.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

/// `names` are those of the enumerators from 0 on, read back by `parse`, which refuses others with
/// `field`, the text and all names.
template <class Enum>
void expect_names(Enum (*parse)(std::string_view), const std::string& field,
                  const std::vector<std::string>& names) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(name(static_cast<Enum>(i)), names[i]);
    EXPECT_EQ(parse(names[i]), static_cast<Enum>(i));
    all += (i == 0 ? "" : ", ") + names[i];
  }
  for (const std::string wrong : {"", "x", "per_path", "free_energy"})
    EXPECT_EQ(refusal([&] { parse(wrong); }), field + ": got \"" + wrong + "\"; accepted: " + all);
}

TEST(Names, AreParsedBackAndOthersRefusedWithTheListOfAll) {
  expect_names(parse_precision, "precision", {"fp32", "fast", "fp64"});
  expect_names(parse_cuda_kernels, "cuda_kernels", {"auto", "fused", "layered", "per-path"});
  expect_names(parse_objective, "objective",
               {"free-energy", "sticking-the-landing", "importance-weighted",
                "partially-importance-weighted"});
  expect_names(parse_schedule, "schedule", {"constant", "cosine", "exponential"});
  expect_names(parse_calculus, "calculus", {"ito", "stratonovich"});
  expect_names(
      parse_solver, "solver",
      {"euler-maruyama", "milstein", "heun", "midpoint", "reversible-heun", "sra1", "ri6"});
  expect_names(parse_gradient_method, "method",
               {"adjoint", "pathwise", "stochastic-adjoint", "reversible"});
}

}  // namespace
}  // namespace ito
