#include "cuda_training/training_kernels.hpp"

#include <fmt/format.h>

#include <string>
#include <variant>

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

std::string kernel(const std::string& name, const char* arguments, const std::string& function) {
  return fmt::format("ITO_KERNEL(ito_{}, ito::cuda::{}, {}) {{ ito::cuda::{}(arguments); }}\n",
                     name, arguments, service_threads, function);
}

}  // namespace

KernelSource training_source(const TrainingKind& kind) {
  std::string text =
      "#include \"kernels/training/training.cuh\"\n#include \"kernels/training/observation.cuh\"\n";
  text += kernel("begin_step", "BeginArguments", "begin_step");
  text += kernel("gather", "GatherArguments", "gather_rows");
  text += kernel("clear_dropped", "DroppedArguments", "clear_dropped");
  text += kernel("compare", "CompareArguments",
                 fmt::format("compare_with_rows<{}>", terms(kind.likelihood)));
  text += kernel("cotangents", "ObjectiveArguments",
                 fmt::format("choose_cotangents<static_cast<ito::LossKind>({})>",
                             static_cast<int>(kind.objective)));
  text += kernel("weigh_slopes", "EtaArguments", "weigh_slopes");
  text += kernel("add_block", "TotalArguments", "add_block_to_step");
  text += kernel("norm", "NormArguments", "add_squares");
  text += kernel("finish_step", "FinishArguments", "finish_step");
  text += kernel("move", "AdamArguments", "move_parameters");
  return {"training", text};
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
