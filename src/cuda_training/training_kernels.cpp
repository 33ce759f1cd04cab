#include "cuda_training/training_kernels.hpp"

#include <fmt/format.h>

#include <string>
#include <variant>

#include "cuda/kernel_source.hpp"

namespace ito::cuda {
namespace {

/// kernels/arithmetic/likelihood.cuh's name of a likelihood, and whether it has a scale.
std::string terms(const Likelihood& likelihood) {
  return std::visit(
      []<class Kind>(const Kind&) -> std::string {
        if constexpr (std::is_same_v<Kind, Gaussian>) return "ito::GaussianTerms<float>, true";
        if constexpr (std::is_same_v<Kind, Poisson>) return "ito::PoissonTerms<float>, false";
        if constexpr (std::is_same_v<Kind, StudentT>) return "ito::StudentTerms<float>, true";
        if constexpr (std::is_same_v<Kind, Binomial>) return "ito::BinomialTerms<float>, false";
        return "ito::AllOrNothingTerms<float>, false";
      },
      likelihood);
}

}  // namespace

KernelSource training_source(const TrainingKind& kind) {
  return KernelText({"training/training.cuh", "training/observation.cuh"})
      .kernel("ito_begin_step", "BeginArguments", "begin_step")
      .kernel("ito_gather", "GatherArguments", "gather_rows")
      .kernel("ito_clear_dropped", "DroppedArguments", "clear_dropped")
      .kernel("ito_compare", "CompareArguments",
              fmt::format("compare_with_rows<{}>", terms(kind.likelihood)))
      .kernel("ito_cotangents", "ObjectiveArguments",
              fmt::format("choose_cotangents<ito::LossKind({})>", static_cast<int>(kind.objective)))
      .kernel("ito_weigh_slopes", "EtaArguments", "weigh_slopes")
      .kernel("ito_add_block", "TotalArguments", "add_block_to_step")
      .kernel("ito_norm", "NormArguments", "add_squares")
      .kernel("ito_finish_step", "FinishArguments", "finish_step")
      .kernel("ito_move", "AdamArguments", "move_parameters")
      .named("training");
}

TrainingKernels::TrainingKernels(const TrainingKind& kind, Gpu& gpu)
    : module(gpu.compile(training_source(kind))) {
  const auto get = [&](const std::string& name) { return module->kernel("ito_" + name); };
  begin_step = get("begin_step");
  gather = get("gather");
  clear_dropped = get("clear_dropped");
  compare = get("compare");
  cotangents = get("cotangents");
  weigh_slopes = get("weigh_slopes");
  add_block = get("add_block");
  norm = get("norm");
  finish_step = get("finish_step");
  move = get("move");
}

}  // namespace ito::cuda
