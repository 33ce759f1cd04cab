#include "cuda/scheme_layout.hpp"

#include <numeric>

#include "cuda/source.hpp"
#include "model/diffusion.hpp"

namespace ito {
namespace {

constexpr int group = 8;  ///< numbers that a thread reads at once
constexpr int none = -1;  ///< of PackArguments: zero

class LayoutWriter {
 public:
  LayoutWriter(const ModelShape& shape, SchemeLayout& layout) : shape_(shape), layout_(layout) {}

  ThreadNet net(const std::optional<NetShape>& shape) {
    ThreadNet out;
    if (!shape) return out;
    out.shape = *shape;
    for (std::size_t l = 0; l < shape->layers.size(); ++l) out.layers.push_back(layer(*shape, l));
    return out;
  }

  /// `count` numbers from parameter `first` on.
  int vector(std::size_t first, int count) {
    const int place = begin();
    for (int i = 0; i < padded(count); ++i) {
      layout_.number_sources.push_back(i < count ? static_cast<int>(first) + i : none);
    }
    return place;
  }

 private:
  static int padded(int count) { return (count + group - 1) / group * group; }
  int begin() const { return static_cast<int>(layout_.number_sources.size()); }

  /// [outputs/8, inputs, 8], zero beyond the last output.
  template <class Source>
  int matrix(int outputs, int inputs, Source source) {
    const int place = begin();
    for (int first = 0; first < outputs; first += group) {
      for (int in = 0; in < inputs; ++in) {
        for (int out = first; out < first + group; ++out) {
          layout_.number_sources.push_back(out < outputs ? static_cast<int>(source(out, in))
                                                         : none);
        }
      }
    }
    return place;
  }

  ThreadLayer layer(const NetShape& net, std::size_t l) {
    const LayerShape& shape = net.layers[l];
    const int inputs = l > 0 ? shape.inputs : net.state_inputs + net.time_inputs;
    const int back = l > 0 ? shape.inputs : net.state_inputs;
    const auto weight = [&](int out, int in) {
      return shape.weight + static_cast<std::size_t>(out * shape.inputs + in);
    };
    ThreadLayer out;
    out.outputs = shape.outputs;
    out.forward = matrix(shape.outputs, inputs, weight);
    out.transposed =
        matrix(back, shape.outputs, [&](int in, int output) { return weight(output, in); });
    out.bias = vector(shape.bias, shape.outputs);
    out.values = rows(l + 1 < net.layers.size() ? shape.outputs : 0);
    out.slopes = rows(shape.outputs);
    return out;
  }

  int rows(int count) {
    const int first = layout_.net_rows;
    layout_.net_rows += count;
    return first;
  }

  const ModelShape& shape_;
  SchemeLayout& layout_;
};

}  // namespace

SchemeLayout::SchemeLayout(const ModelShape& shape) {
  LayoutWriter writer(shape, *this);
  drift = writer.net(shape.drift);
  diffusion = writer.net(shape.diffusion_net);
  control = writer.net(shape.control_net);
  row = context_row(shape);
  if (!shape.diffusion_net && shape.diffusion != DiffusionKind::identity) {
    sigma_count = DiffusionEntries(shape).count();
    sigma = writer.vector(shape.parameters, sigma_count);  // beyond the parameters: entries of σ
  }
  if (shape.control == ControlKind::constant)
    control_value = writer.vector(shape.control_value, shape.noise);
  if (shape.initial != InitialKind::point)
    initial_value = writer.vector(shape.initial_value, shape.state);
  if (shape.initial == InitialKind::gaussian)
    initial_std = writer.vector(shape.initial_log_std, shape.state);
  places.resize(shape.parameters);
  std::iota(places.begin(), places.end(), 0);
  if (row == 0) return;
  // The weights of a context come from the bias rows.
  const LayerShape& first = shape.control_net->layers.front();
  for (int out = 0; out < first.outputs; ++out) {
    const std::size_t end = first.weight + static_cast<std::size_t>((out + 1) * first.inputs);
    for (int c = 1; c <= shape.context(); ++c) places[end - static_cast<std::size_t>(c)] = -1;
  }
}

}  // namespace ito
