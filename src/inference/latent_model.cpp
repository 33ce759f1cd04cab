#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include <ito/error.hpp>
#include <ito/latent_model.hpp>

#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "model/check.hpp"
#include "model/initialize.hpp"

namespace ito {
namespace {

constexpr Range count_range{1, largest_count};
/// Of one whole observation, and of all rows of its context: the widths of an encoder.
constexpr std::int64_t flattened_limit = 1 << 24;

struct ContextSize {
  int context = 0;
  std::size_t intervals = 0;
};

ContextSize context_size(const Control& control) {
  return std::visit(
      [](const auto& kind) -> ContextSize {
        if constexpr (requires { kind.context; }) {
          return {kind.context, kind.context_steps.size()};
        } else {
          return {};
        }
      },
      control);
}

void check_flattened(const std::string& what, std::int64_t size) {
  if (size > flattened_limit) {
    throw Error(what, fmt::format("{} numbers", size), fmt::format("up to {}", flattened_limit));
  }
}

/// An encoder against the control it feeds.
struct CheckEncoder {
  ContextSize size;
  std::size_t times;         ///< T
  std::int64_t observation;  ///< T · D

  void operator()(const NoEncoder&) const {
    if (size.context == 0) return;
    throw Error("encoder.kind", fmt::format("\"none\" with control.context {}", size.context),
                "another kind, or a control without context");
  }
  void operator()(const IdentityEncoder& encoder) const {
    check_fed("identity", encoder.shift, encoder.scale);
    const auto total = static_cast<std::int64_t>(size.intervals) * size.context;
    if (total != observation) {
      throw Error("control.context",
                  fmt::format("{} for each of {} context steps", size.context, size.intervals),
                  fmt::format("with an identity encoder {} in all, the size of y (save steps · "
                              "observed)",
                              observation));
    }
  }
  void operator()(const MlpEncoder& encoder) const {
    check_fed("mlp", encoder.shift, encoder.scale);
    check_net("encoder", encoder.net);
  }
  void operator()(const GruEncoder& encoder) const { check_series("gru", encoder); }
  void operator()(const AttentionEncoder& encoder) const { check_series("attention", encoder); }

 private:
  template <class Kind>
  void check_series(const char* kind, const Kind& encoder) const {
    check_fed(kind, encoder.shift, encoder.scale);
    check_sequence_encoder(encoder);
    if (size.intervals == times) return;
    throw Error("control.context_steps", fmt::format("{} steps", size.intervals),
                fmt::format("with encoder.kind \"{}\" as many as the save steps, {}: 0 and then "
                            "the save steps but the last",
                            kind, times));
  }
  void check_fed(const char* kind, double shift, double scale) const {
    if (size.context == 0) {
      throw Error("encoder.kind", fmt::format("\"{}\" with a control that takes no context", kind),
                  "\"none\", or a control with context above 0");
    }
    check_finite("encoder.shift", shift);
    check_finite("encoder.scale", scale);
    if (scale == 0) throw Error("encoder.scale", "0", "nonzero numbers");
  }
};

struct CheckDecoder {
  int state;
  int observed;

  void operator()(const IdentityDecoder&) const {
    if (observed != state) {
      throw Error(
          "observed", fmt::format("{}", observed),
          fmt::format("{} (the state) with an identity decoder, or an \"mlp\" decoder", state));
    }
  }
  void operator()(const MlpDecoder& decoder) const { check_net("decoder", decoder.net); }
};

/// Of numbers that enter float32 arithmetic with their squares or inverses.
void check_between(const std::string& field, double value, double least, double most) {
  if (!(value >= least && value <= most))
    throw Error(field, fmt::format("{}", value), fmt::format("from {:g} to {:g}", least, most));
}

struct CheckLikelihood {
  int observed;

  void operator()(const Gaussian& gaussian) const { check_scale(gaussian); }
  void operator()(const Bernoulli&) const {}
  void operator()(const Binomial& binomial) const {
    check_integer("likelihood.count", binomial.count, count_range);
  }
  void operator()(const Poisson&) const {}
  void operator()(const StudentT& student) const {
    check_between("likelihood.degrees", student.degrees, 1e-6, 1e12);
    check_scale(student);
  }

 private:
  template <class Kind>
  void check_scale(const Kind& kind) const {
    const std::string field = "likelihood.scale";
    if (kind.scales.empty()) return check_between(field, kind.scale, 1e-30, 1e30);
    if (kind.scales.size() != size(observed))
      throw Error(field, fmt::format("{} numbers", kind.scales.size()),
                  fmt::format("a number, or {}: one for each number of y (observed)", observed));
    for (std::size_t j = 0; j < kind.scales.size(); ++j)
      check_between(indexed(field, j), kind.scales[j], 1e-30, 1e30);
  }
};

bool gives_initial(const Encoder& encoder) {
  return std::visit(
      [](const auto& kind) {
        if constexpr (requires { kind.initial; }) return kind.initial;
        return false;
      },
      encoder);
}

bool learns_scale(const Likelihood& likelihood) {
  return std::visit(
      [](const auto& kind) {
        if constexpr (requires { kind.learned; }) return kind.learned;
        return false;
      },
      likelihood);
}

}  // namespace

LatentModel validated(LatentModel latent) {
  latent.model = validated(std::move(latent.model));
  check_integer("observed", latent.observed, observed_range);
  const auto observation = static_cast<std::int64_t>(latent.model.save.size()) * latent.observed;
  check_flattened("size of y (save steps · observed)", observation);
  const ContextSize size = context_size(latent.model.control);
  check_flattened("size of the context (context steps · context)",
                  static_cast<std::int64_t>(size.intervals) * size.context);
  check_flattened("size of the inputs (input steps · inputs)",
                  static_cast<std::int64_t>(latent.model.input_steps.size()) * latent.model.inputs);
  std::visit(CheckEncoder{size, latent.model.save.size(), observation}, latent.encoder);
  if (gives_initial(latent.encoder) &&
      !std::holds_alternative<GaussianInitial>(latent.model.initial)) {
    throw Error("encoder.initial", "true with another initial.kind",
                "true with initial.kind \"gaussian\", the prior of X_0");
  }
  std::visit(CheckDecoder{latent.model.state, latent.observed}, latent.decoder);
  std::visit(CheckLikelihood{latent.observed}, latent.likelihood);
  return latent;
}

LatentShape resolve(const LatentModel& given) {
  const LatentModel latent = validated(given);
  LatentShape shape;
  shape.model = resolve(latent.model);
  shape.times = static_cast<int>(shape.model.save.size());
  shape.observed = latent.observed;
  shape.tensors = shape.model.tensors;
  if (const auto* encoder = std::get_if<MlpEncoder>(&latent.encoder)) {
    shape.encoder = append_net(shape.tensors, "encoder", encoder->net, shape.times * shape.observed,
                               0, 0, shape.model.intervals() * shape.model.own_context());
  }
  shape.sequence_encoder =
      append_sequence_encoder(shape.tensors, latent.encoder, shape.model, shape.observed,
                              gives_initial(latent.encoder) ? shape.model.state : 0);
  if (const auto* decoder = std::get_if<MlpDecoder>(&latent.decoder)) {
    shape.decoder =
        append_net(shape.tensors, "decoder", decoder->net, shape.model.state, 0, 0, shape.observed);
  }
  if (learns_scale(latent.likelihood)) {
    shape.log_scales = ObservationModel(latent.likelihood).log_scales().count();
    shape.log_scale = append_tensor(shape.tensors, "likelihood.log_scale", {shape.log_scales});
  }
  shape.parameters = total_size(shape.tensors);
  check_total(shape.parameters);
  return shape;
}

Parameters zero_parameters(const LatentModel& latent) {
  return Parameters(resolve(latent).tensors);
}

Parameters initialize(const LatentModel& latent, std::uint64_t seed) {
  const LatentShape shape = resolve(latent);
  Parameters parameters(shape.tensors);
  initialize_model(parameters, latent.model, shape.model, seed);
  if (shape.encoder) initialize_net(parameters, *shape.encoder, seed);
  if (shape.sequence_encoder)
    initialize_sequence_encoder(parameters, *shape.sequence_encoder, seed);
  if (shape.decoder) initialize_net(parameters, *shape.decoder, seed);
  const LogScales log_scales = ObservationModel(latent.likelihood).log_scales();
  const std::span<float> learned = shape.log_scales_of(parameters.values());
  for (std::size_t j = 0; j < learned.size(); ++j)
    learned[j] = static_cast<float>(log_scales.of(j));
  return parameters;
}

}  // namespace ito
