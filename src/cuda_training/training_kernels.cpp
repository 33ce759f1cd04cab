#include "cuda_training/training_kernels.hpp"

#include <fmt/format.h>

#include <string>
#include <variant>

#include "cuda/kernel_source.hpp"
#include "kernels/training/training_arguments.cuh"

namespace ito::cuda {
namespace {

/// kernels/arithmetic/likelihood.cuh's name of a likelihood.
std::string terms(const Likelihood& likelihood) {
  return std::visit(
      []<class Kind>(const Kind&) -> std::string {
        if constexpr (std::is_same_v<Kind, Gaussian>) return "ito::GaussianTerms<float>";
        if constexpr (std::is_same_v<Kind, Poisson>) return "ito::PoissonTerms<float>";
        if constexpr (std::is_same_v<Kind, StudentT>) return "ito::StudentTerms<float>";
        if constexpr (std::is_same_v<Kind, Binomial>) return "ito::BinomialTerms<float>";
        return "ito::AllOrNothingTerms<float>";
      },
      likelihood);
}

ScaleKind scale_kind(const Likelihood& likelihood) {
  return std::visit(
      []<class Kind>(const Kind& kind) {
        if constexpr (requires { kind.scales; })
          return kind.scales.size() > 1 ? ScaleKind::each : ScaleKind::one;
        return ScaleKind::none;
      },
      likelihood);
}

}  // namespace

KernelSource training_source(const TrainingKind& kind) {
  const bool two = kind.objective == Objective::partially_importance_weighted;
  KernelText text({"training/encode.cuh", "training/gather.cuh", "training/series.cuh",
                   "training/gru.cuh", "training/attention.cuh", "training/initial_posterior.cuh",
                   "training/decode.cuh", "training/step.cuh"});
  text.net("Encoder", kind.encoder.spec, kind.encoder.rows)
      .net("Decoder", kind.decoder.spec, kind.decoder.rows)
      .kernel("ito_encode", "EncodeArguments", "encode<Encoder>", net_threads)
      .kernel(
          "ito_decode", "DecodeArguments",
          fmt::format("decode<Decoder, {}, ito::cuda::ScaleKind({}), ito::LossKind({}), {}>",
                      terms(kind.likelihood), static_cast<int>(scale_kind(kind.likelihood)),
                      static_cast<int>(two ? Objective::importance_weighted : kind.objective), two),
          net_threads)
      .kernel("ito_decode_back", "DecodeBackArguments", "decode_back<Decoder>", net_threads)
      .kernel("ito_clear_dropped", "DroppedArguments", "clear_dropped")
      .kernel("ito_collect", "CollectArguments", "collect_gradient")
      .kernel("ito_move", "AdamArguments", "move_parameters");
  if (kind.encoder)
    text.kernel("ito_encode_back", "EncodeBackArguments", "encode_back<Encoder>", net_threads);
  if (kind.gathers) {
    text.kernel("ito_gather", "GatherArguments", "gather")
        .kernel("ito_own_cotangents", "OwnCotangentArguments", "own_cotangents");
  }
  if (kind.gru || kind.attention) text.kernel("ito_observe", "ObserveArguments", "observe");
  if (kind.gru) {
    text.kernel("ito_gru_step", "GruStepArguments", "gru_step")
        .kernel("ito_gru_step_back", "GruStepBackArguments", "gru_step_back");
  }
  if (kind.attention) {
    text.kernel("ito_attend", "AttentionArguments", "attend")
        .kernel("ito_attend_back_to_queries", "AttentionBackArguments", "attend_back_to_queries")
        .kernel("ito_attend_back_to_keys", "AttentionBackArguments", "attend_back_to_keys");
  }
  if (kind.initial) {
    text.kernel("ito_draw_initial", "DrawInitialArguments", "draw_initial")
        .kernel("ito_reverse_initial", "ReverseInitialArguments", "reverse_initial");
  }
  return text.named("training");
}

TrainingKernels::TrainingKernels(const TrainingKind& kind, Gpu& gpu)
    : module(gpu.compile(training_source(kind))) {
  const auto get = [&](const std::string& name) { return module->kernel("ito_" + name); };
  if (kind.gathers) {
    gather = get("gather");
    own_cotangents = get("own_cotangents");
  }
  if (kind.gru || kind.attention) observe = get("observe");
  if (kind.gru) {
    gru_step = get("gru_step");
    gru_step_back = get("gru_step_back");
  }
  if (kind.attention) {
    attend = get("attend");
    attend_back_to_queries = get("attend_back_to_queries");
    attend_back_to_keys = get("attend_back_to_keys");
  }
  if (kind.initial) {
    draw_initial = get("draw_initial");
    reverse_initial = get("reverse_initial");
  }
  encode = get("encode");
  if (kind.encoder) encode_back = get("encode_back");
  clear_dropped = get("clear_dropped");
  decode = get("decode");
  decode_back = get("decode_back");
  collect = get("collect");
  move = get("move");
}

}  // namespace ito::cuda
