#include "inference/latent_json.hpp"

#include <limits>

#include <ito/error.hpp>

#include "inference/observation_model.hpp"
#include "model/model_json.hpp"

namespace ito {
namespace {

/// Of fields whose ranges `validated` checks.
constexpr Range any_integer{std::numeric_limits<int>::min(), std::numeric_limits<int>::max()};

template <class Kind>
void read_scaling(const JsonReader& object, Kind& encoder) {
  object.read("shift", encoder.shift);
  object.read("scale", encoder.scale);
}

Encoder read_encoder(const JsonReader& object) {
  const std::string kind = object.kind({"none", "identity", "mlp", "gru", "attention"});
  if (kind == "none") {
    object.accept({"kind"});
    return NoEncoder{};
  }
  if (kind == "identity") {
    object.accept({"kind", "shift", "scale"});
    IdentityEncoder encoder;
    read_scaling(object, encoder);
    return encoder;
  }
  if (kind == "gru") {
    object.accept({"kind", "hidden", "decay", "time", "initial", "reads", "shift", "scale"});
    GruEncoder encoder;
    object.read("hidden", encoder.hidden, any_integer);
    object.read("decay", encoder.decay);
    object.read("time", encoder.time);
    object.read("initial", encoder.initial);
    object.read("reads", encoder.reads, any_integer);
    read_scaling(object, encoder);
    return encoder;
  }
  if (kind == "attention") {
    object.accept({"kind", "hidden", "heads", "rates", "initial", "reads", "shift", "scale"});
    AttentionEncoder encoder;
    object.read("hidden", encoder.hidden, any_integer);
    object.read("heads", encoder.heads, any_integer);
    object.read("rates", encoder.rates, any_integer);
    object.read("initial", encoder.initial);
    object.read("reads", encoder.reads, any_integer);
    read_scaling(object, encoder);
    return encoder;
  }
  object.accept({"kind", "hidden", "activation", "output", "shift", "scale"});
  MlpEncoder encoder;
  encoder.net = read_net(object, encoder.net, false);
  read_scaling(object, encoder);
  return encoder;
}

Decoder read_decoder(const JsonReader& object) {
  if (object.kind({"identity", "mlp"}) == "identity") {
    object.accept({"kind"});
    return IdentityDecoder{};
  }
  object.accept({"kind", "hidden", "activation", "output"});
  return MlpDecoder{read_net(object, {}, false)};
}

/// A number, or an array of them.
template <class Kind>
void read_scale(const JsonReader& object, Kind& kind) {
  object.read("learned", kind.learned);
  if (!object.has("scale") || !object.at("scale").value().is_array())
    return object.read("scale", kind.scale);
  const JsonReader scales = object.at("scale");
  kind.scales = scales.numbers();
  if (kind.scales.empty()) scales.refuse("a number, or one for each number of y");
}

template <class Kind>
nlohmann::ordered_json scale_of(const Kind& kind) {
  if (kind.scales.empty()) return kind.scale;
  return kind.scales;
}

Likelihood read_likelihood(const JsonReader& object) {
  const std::string kind =
      object.kind({"gaussian", "bernoulli", "binomial", "poisson", "student-t"});
  if (kind == "gaussian") {
    object.accept({"kind", "scale", "learned"});
    Gaussian gaussian;
    read_scale(object, gaussian);
    return gaussian;
  }
  if (kind == "student-t") {
    object.accept({"kind", "degrees", "scale", "learned"});
    StudentT student;
    object.read("degrees", student.degrees);
    read_scale(object, student);
    return student;
  }
  if (kind == "binomial") {
    object.accept({"kind", "count"});
    return Binomial{object.at("count").integer({1, largest_count})};
  }
  object.accept({"kind"});
  if (kind == "bernoulli") return Bernoulli{};
  return Poisson{};
}

using Object = nlohmann::ordered_json;

struct Writer {
  Object operator()(const NoEncoder&) const { return {{"kind", "none"}}; }
  Object operator()(const IdentityEncoder& encoder) const {
    return {{"kind", "identity"}, {"shift", encoder.shift}, {"scale", encoder.scale}};
  }
  Object operator()(const MlpEncoder& encoder) const {
    Object object{{"kind", "mlp"}};
    write_net(object, encoder.net, false);
    object["shift"] = encoder.shift;
    object["scale"] = encoder.scale;
    return object;
  }

  Object operator()(const GruEncoder& encoder) const {
    return {{"kind", "gru"},          {"hidden", encoder.hidden},   {"decay", encoder.decay},
            {"time", encoder.time},   {"initial", encoder.initial}, {"reads", encoder.reads},
            {"shift", encoder.shift}, {"scale", encoder.scale}};
  }
  Object operator()(const AttentionEncoder& encoder) const {
    return {{"kind", "attention"},    {"hidden", encoder.hidden},   {"heads", encoder.heads},
            {"rates", encoder.rates}, {"initial", encoder.initial}, {"reads", encoder.reads},
            {"shift", encoder.shift}, {"scale", encoder.scale}};
  }

  Object operator()(const IdentityDecoder&) const { return {{"kind", "identity"}}; }
  Object operator()(const MlpDecoder& decoder) const {
    Object object{{"kind", "mlp"}};
    write_net(object, decoder.net, false);
    return object;
  }

  Object operator()(const Gaussian& gaussian) const {
    return {{"kind", "gaussian"}, {"scale", scale_of(gaussian)}, {"learned", gaussian.learned}};
  }
  Object operator()(const Bernoulli&) const { return {{"kind", "bernoulli"}}; }
  Object operator()(const Binomial& binomial) const {
    return {{"kind", "binomial"}, {"count", binomial.count}};
  }
  Object operator()(const Poisson&) const { return {{"kind", "poisson"}}; }
  Object operator()(const StudentT& student) const {
    return {{"kind", "student-t"},
            {"degrees", student.degrees},
            {"scale", scale_of(student)},
            {"learned", student.learned}};
  }
};

}  // namespace

LatentModel read_latent_model(const JsonReader& document) {
  LatentModel latent;
  latent.model = read_model(document);
  latent.observed = document.at("observed").integer(observed_range);
  if (document.has("encoder")) latent.encoder = read_encoder(document.at("encoder"));
  if (document.has("decoder")) latent.decoder = read_decoder(document.at("decoder"));
  latent.likelihood = read_likelihood(document.at("likelihood"));
  return validated(std::move(latent));
}

Object write_latent_model(const LatentModel& latent) {
  Object document = write_model(latent.model);
  document["observed"] = latent.observed;
  document["encoder"] = std::visit(Writer{}, latent.encoder);
  document["decoder"] = std::visit(Writer{}, latent.decoder);
  document["likelihood"] = std::visit(Writer{}, latent.likelihood);
  return document;
}

LatentModel parse_latent_model(std::string_view text) {
  const nlohmann::json document = parse_json(text, "model");
  const JsonReader reader(document, "");
  accept_keys(reader);
  return read_latent_model(reader);
}

std::string to_json(const LatentModel& latent) {
  return format_document(write_latent_model(validated(latent)));
}

}  // namespace ito
