#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "kernels/arithmetic/activation.cuh"
#include "model/shape.hpp"

namespace ito::reference {

/// A multilayer perceptron of one input in plain double arithmetic, with the trace its backward
/// pass needs: that of the reference engine, and of whatever on the host takes a row at a time.
class ReferenceNet {
 public:
  explicit ReferenceNet(const NetShape& shape) : shape_(shape) {
    std::size_t widest = static_cast<std::size_t>(shape.inputs());
    input_.resize(widest);
    for (const LayerShape& layer : shape.layers) {
      const auto width = static_cast<std::size_t>(layer.outputs);
      values_.emplace_back(width);
      slopes_.emplace_back(width);
      widest = std::max(widest, width);
    }
    cotangent_.resize(widest);
    next_.resize(widest);
  }

  const NetShape& shape() const { return shape_; }
  std::span<double> input() { return input_; }
  std::span<const double> output() const { return values_.back(); }

  /// output = net(input).
  void forward(const double* parameters) {
    std::span<const double> in = input_;
    for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
      const LayerShape& layer = shape_.layers[l];
      for (std::size_t i = 0; i < values_[l].size(); ++i) {
        const double* weight = parameters + layer.weight + i * in.size();
        double z = parameters[layer.bias + i];
        for (std::size_t j = 0; j < in.size(); ++j) z += weight[j] * in[j];
        const auto f = value_and_slope(layer.activation, z);
        values_[l][i] = f.value;
        slopes_[l][i] = f.slope;
      }
      in = values_[l];
    }
  }

  /// After `forward`: the derivative of the output along a direction of the parameters (null: none)
  /// and of the input.
  std::span<const double> tangent(const double* parameters, const double* direction,
                                  std::span<const double> input_tangent) {
    std::copy(input_tangent.begin(), input_tangent.end(), cotangent_.begin());
    std::span<const double> in = input_;
    for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
      const LayerShape& layer = shape_.layers[l];
      for (std::size_t i = 0; i < values_[l].size(); ++i) {
        const std::size_t row = layer.weight + i * in.size();
        double z = direction ? direction[layer.bias + i] : 0.0;
        for (std::size_t j = 0; j < in.size(); ++j) {
          z += parameters[row + j] * cotangent_[j];
          if (direction) z += direction[row + j] * in[j];
        }
        next_[i] = slopes_[l][i] * z;
      }
      std::swap(cotangent_, next_);
      in = values_[l];
    }
    return std::span<const double>(cotangent_).first(values_.back().size());
  }

  /// After `forward`: adds to `gradient` (unless null) and returns the cotangent of the input.
  std::span<const double> backward(const double* parameters, std::span<const double> cotangent,
                                   double* gradient) {
    std::copy(cotangent.begin(), cotangent.end(), cotangent_.begin());
    for (std::size_t l = shape_.layers.size(); l-- > 0;) {
      const LayerShape& layer = shape_.layers[l];
      const std::span<const double> in = l > 0 ? std::span<const double>(values_[l - 1]) : input_;
      std::fill_n(next_.begin(), in.size(), 0.0);
      for (std::size_t i = 0; i < values_[l].size(); ++i) {
        const double delta = cotangent_[i] * slopes_[l][i];
        const std::size_t row = layer.weight + i * in.size();
        for (std::size_t j = 0; j < in.size(); ++j) next_[j] += parameters[row + j] * delta;
        if (!gradient) continue;
        gradient[layer.bias + i] += delta;
        for (std::size_t j = 0; j < in.size(); ++j) gradient[row + j] += delta * in[j];
      }
      std::swap(cotangent_, next_);
    }
    return std::span<const double>(cotangent_).first(input_.size());
  }

 private:
  NetShape shape_;
  std::vector<double> input_, cotangent_, next_;
  std::vector<std::vector<double>> values_, slopes_;
};

}  // namespace ito::reference
