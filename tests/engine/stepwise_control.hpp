#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ito/parameters.hpp>
#include <ito/plan.hpp>

#include "engine/any_plan.hpp"
#include "engine/linear_gaussian.hpp"

namespace ito::test {

/// Puts `values`, row by row, into a named tensor of a flat vector.
inline void assign(std::vector<double>& parameters, const Model& model, const std::string& name,
                   const Matrix& values) {
  const Parameters layout = zero_parameters(model);
  for (const Tensor& tensor : layout.tensors()) {
    if (tensor.name != name) continue;
    std::size_t at = tensor.offset;
    for (const Vector& row : values) {
      for (const double v : row) parameters.at(at++) = v;
    }
    EXPECT_EQ(at, tensor.offset + tensor.size) << name;
    return;
  }
  ADD_FAILURE() << "no tensor " << name;
}

inline std::vector<double> zeros(const Model& model) {
  return std::vector<double>(zero_parameters(model).size());
}

/// A feedback control that is another affine map u_k(x) = U_k x + v_k at every step, exactly: its
/// context is a unit vector that names the step, and opens the hidden units of that step alone. A
/// closed unit sees x − 4096 and is cut off by its relu; an open one sees x with no rounding.
class StepwiseControl {
 public:
  /// Replaces the control of `model`, whose |x| must stay below 4096.
  StepwiseControl(Model& model, const std::vector<Affine>& maps) {
    const std::size_t steps = maps.size(), d = maps[0].gain[0].size(), m = maps[0].shift.size();
    const std::size_t units = 2 * d + 1;  // x⁺, x⁻ and 1
    FeedbackControl feedback{.net = {.hidden = {static_cast<int>(steps * units)},
                                     .activation = Activation::relu,
                                     .time = false},
                             .context = static_cast<int>(steps),
                             .context_steps = {}};
    for (std::size_t k = 0; k < steps; ++k) {
      feedback.context_steps.push_back(static_cast<int>(k));
    }
    model.control = feedback;
    context = Vector(steps * steps);
    weight_in = Matrix(steps * units, Vector(d + steps));
    bias_in = Matrix(1, Vector(steps * units));
    weight_out = Matrix(m, Vector(steps * units));
    for (std::size_t k = 0; k < steps; ++k) {
      context[k * steps + k] = 1;
      for (std::size_t j = 0; j < 2 * d; ++j) {
        const double sign = j < d ? 1 : -1;
        weight_in[k * units + j][j % d] = sign;
        weight_in[k * units + j][d + k] = closed;
        bias_in[0][k * units + j] = -closed;
        for (std::size_t i = 0; i < m; ++i) {
          weight_out[i][k * units + j] = sign * maps[k].gain[i][j % d];
        }
      }
      weight_in[k * units + 2 * d][d + k] = 1;
      for (std::size_t i = 0; i < m; ++i) weight_out[i][k * units + 2 * d] = maps[k].shift[i];
    }
  }

  /// Writes the control's tensors.
  void write(std::vector<double>& parameters, const Model& model) const {
    assign(parameters, model, "control.0.weight", weight_in);
    assign(parameters, model, "control.0.bias", bias_in);
    assign(parameters, model, "control.1.weight", weight_out);
  }

  Vector context;  ///< [I, C]

 private:
  static constexpr double closed = 4096;
  Matrix weight_in, bias_in, weight_out;
};

}  // namespace ito::test
