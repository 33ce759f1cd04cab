#include "inference/sequence_encoder_shape.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "model/check.hpp"
#include "model/initialize.hpp"

namespace ito {
namespace {

constexpr Range hidden_range{1, 1024};
constexpr Range rates_range{1, 12};
constexpr Range reads_range{0, 1'000'000};

/// Builds the parts of a shape in the order of the tensors.
struct SequenceResolver {
  std::vector<Tensor>& tensors;
  const ModelShape& model;
  int observed;
  int initial_state;

  template <class Kind>
  std::optional<SequenceEncoderShape> operator()(const Kind&) const {
    return std::nullopt;
  }
  std::optional<SequenceEncoderShape> operator()(const GruEncoder& encoder) const {
    const int hidden = encoder.hidden;
    const int inputs = 2 * observed + model.inputs + 1 + (encoder.time ? 1 : 0);
    GruShape gru;
    gru.input = affine("gru.weight_ih", "gru.bias_ih", inputs, 3 * hidden);
    gru.state = affine("gru.weight_hh", "gru.bias_hh", hidden, 3 * hidden);
    gru.time = encoder.time;
    if (encoder.decay) {
      const auto width = static_cast<std::size_t>(hidden);
      LayerShape layer;
      layer.inputs = 1;
      layer.outputs = hidden;
      layer.weight = append_tensor(tensors, "encoder.decay.weight", {width});
      layer.bias = append_tensor(tensors, "encoder.decay.bias", {width});
      layer.activation = Activation::relu;
      gru.decay = NetShape{1, 0, 0, {layer}};
    }
    return with_heads(encoder, std::move(gru), hidden);
  }
  std::optional<SequenceEncoderShape> operator()(const AttentionEncoder& encoder) const {
    const int features = 1 + encoder.rates, states = encoder.hidden + encoder.heads * features;
    AttentionShape attention;
    attention.observation =
        append_net(tensors, "encoder.attention.observation", Mlp{.hidden = {encoder.hidden}},
                   2 * observed + model.inputs, 0, 0, 2 * encoder.hidden);
    attention.query = affine("attention.query.weight", "attention.query.bias", features, states);
    attention.heads = encoder.heads;
    attention.horizon = model.grid.back() - model.grid.front();
    return with_heads(encoder, std::move(attention), states);
  }

 private:
  NetShape affine(const std::string& weight, const std::string& bias, int inputs,
                  int outputs) const {
    return {inputs,
            0,
            0,
            {append_layer(tensors, "encoder." + weight, "encoder." + bias, inputs, outputs,
                          Activation::identity)}};
  }
  template <class Kind, class States>
  SequenceEncoderShape with_heads(const Kind& encoder, States states, int width) const {
    SequenceEncoderShape shape;
    shape.observed = observed;
    shape.inputs = model.inputs;
    shape.reads = encoder.reads;
    shape.shift = encoder.shift;
    shape.scale = encoder.scale;
    shape.states = std::move(states);
    shape.context = affine("out.weight", "out.bias", width, model.own_context());
    if (initial_state > 0)
      shape.initial = affine("initial.weight", "initial.bias", width, 2 * initial_state);
    return shape;
  }
};

}  // namespace

std::size_t SequenceEncoderShape::numbers_held() const {
  struct Counter {
    int operator()(const GruShape& gru) const {
      return gru.input.inputs() + 2 * gru.input.outputs() + 2 * gru.state.inputs() +
             (gru.decay ? 1 + gru.decay->outputs() : 0);
    }
    int operator()(const AttentionShape& attention) const {
      return attention.observation.inputs() + 2 * attention.observation.outputs() +
             attention.query.inputs() + 2 * attention.query.outputs();
    }
  };
  return size(std::visit(Counter{}, states) + 2 * state() + 2 * context.outputs());
}

std::optional<SequenceEncoderShape> append_sequence_encoder(std::vector<Tensor>& tensors,
                                                            const Encoder& encoder,
                                                            const ModelShape& model, int observed,
                                                            int initial_state) {
  return std::visit(SequenceResolver{tensors, model, observed, initial_state}, encoder);
}

void initialize_sequence_encoder(Parameters& parameters, const SequenceEncoderShape& shape,
                                 std::uint64_t seed) {
  std::vector<const NetShape*> nets;
  if (const auto* gru = std::get_if<GruShape>(&shape.states)) {
    nets = {&gru->input, &gru->state};
    if (gru->decay) nets.push_back(&*gru->decay);
  } else {
    const auto& attention = std::get<AttentionShape>(shape.states);
    nets = {&attention.observation, &attention.query};
  }
  nets.push_back(&shape.context);
  if (shape.initial) nets.push_back(&*shape.initial);
  for (const NetShape* net : nets) initialize_net(parameters, *net, seed);
  if (!shape.initial) return;
  const LayerShape& layer = shape.initial->layers.back();
  const std::size_t half = size(layer.inputs) * size(layer.outputs) / 2;
  std::ranges::fill(parameters.values().subspan(layer.weight + half, half), 0.0F);
}

void check_sequence_encoder(const GruEncoder& encoder) {
  check_integer("encoder.hidden", encoder.hidden, hidden_range);
  check_integer("encoder.reads", encoder.reads, reads_range);
}

void check_sequence_encoder(const AttentionEncoder& encoder) {
  check_integer("encoder.hidden", encoder.hidden, hidden_range);
  check_integer("encoder.heads", encoder.heads, {1, encoder.hidden});
  check_integer("encoder.rates", encoder.rates, rates_range);
  check_integer("encoder.reads", encoder.reads, reads_range);
  if (encoder.hidden % encoder.heads != 0)
    throw Error("encoder.heads", fmt::format("{}", encoder.heads),
                fmt::format("divisors of encoder.hidden, {}", encoder.hidden));
}

}  // namespace ito
