#include <algorithm>
#include <vector>

#include "model/reference_net.hpp"
#include "reference/engine.hpp"

namespace ito::reference {
namespace {

template <class Real>
class ReferenceNetwork final : public BasicNetwork<Real> {
 public:
  explicit ReferenceNetwork(const NetShape& shape)
      : net_(shape),
        begin_(shape.parameter_begin()),
        end_(shape.parameter_end()),
        parameters_(end_),
        gradient_(end_),
        cotangent_(static_cast<std::size_t>(shape.outputs())) {}

  void forward(std::span<const Real> parameters, std::span<const Real> inputs,
               std::span<Real> outputs) override {
    std::copy_n(parameters.begin(), end_, parameters_.begin());
    const std::size_t in = net_.input().size(), out = cotangent_.size();
    for (std::size_t row = 0; row * in < inputs.size(); ++row) {
      std::copy_n(inputs.begin() + static_cast<std::ptrdiff_t>(row * in), in, net_.input().begin());
      net_.forward(parameters_.data());
      for (std::size_t j = 0; j < out; ++j) {
        outputs[row * out + j] = static_cast<Real>(net_.output()[j]);
      }
    }
  }

  void backward(std::span<const Real> parameters, std::span<const Real> inputs,
                std::span<const Real> output_cotangents, std::span<Real> parameter_gradient,
                std::span<Real> input_cotangents) override {
    std::copy_n(parameters.begin(), end_, parameters_.begin());
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    const std::size_t in = net_.input().size(), out = cotangent_.size();
    for (std::size_t row = 0; row * in < inputs.size(); ++row) {
      std::copy_n(inputs.begin() + static_cast<std::ptrdiff_t>(row * in), in, net_.input().begin());
      std::copy_n(output_cotangents.begin() + static_cast<std::ptrdiff_t>(row * out), out,
                  cotangent_.begin());
      net_.forward(parameters_.data());
      const auto input = net_.backward(parameters_.data(), cotangent_, gradient_.data());
      for (std::size_t j = 0; j < in && !input_cotangents.empty(); ++j) {
        input_cotangents[row * in + j] = static_cast<Real>(input[j]);
      }
    }
    for (std::size_t p = begin_; p < end_; ++p) {
      parameter_gradient[p] += static_cast<Real>(gradient_[p]);
    }
  }

 private:
  ReferenceNet net_;
  std::size_t begin_, end_;
  std::vector<double> parameters_, gradient_, cotangent_;
};

}  // namespace

template <class Real>
std::unique_ptr<BasicNetwork<Real>> make_network(const NetShape& shape) {
  return std::make_unique<ReferenceNetwork<Real>>(shape);
}

template std::unique_ptr<BasicNetwork<float>> make_network(const NetShape&);
template std::unique_ptr<BasicNetwork<double>> make_network(const NetShape&);

}  // namespace ito::reference
