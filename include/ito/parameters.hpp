#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// One named tensor inside the flat parameter vector, row-major. Nets use PyTorch's Linear layout:
/// `drift.0.weight` [out, in] and `drift.0.bias` [out]; the columns of a first layer are the state,
/// then time, then context, as far as the net takes them.
struct Tensor {
  std::string name;
  std::vector<std::size_t> shape;
  std::size_t offset = 0;  ///< of its first element in the flat vector
  std::size_t size = 0;    ///< product of `shape`
};

/// All learnable numbers: one flat float32 vector with named views. The order is initial, drift,
/// diffusion, control (so a prior's parameters are a prefix), then encoder, decoder, likelihood.
class Parameters {
 public:
  Parameters() = default;
  /// `tensors` must tile [0, total) in order. Values start at zero.
  explicit Parameters(std::vector<Tensor> tensors);

  std::span<const Tensor> tensors() const { return tensors_; }
  std::size_t size() const { return values_.size(); }
  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }
  operator std::span<const float>() const { return values_; }  // NOLINT: a Plan takes the flat view

  /// The view of one tensor. Throws ito::Error naming the tensors there are.
  std::span<float> operator[](std::string_view name);
  std::span<const float> operator[](std::string_view name) const;

 private:
  const Tensor& find(std::string_view name) const;
  std::vector<Tensor> tensors_;
  std::vector<float> values_;
};

/// The named tensors of a model, in order, all zero.
Parameters zero_parameters(const Model& model);

/// Fresh parameters, the same on every machine for the same seed. Weights ~ N(0, 1/fan_in) where
/// fan_in counts every input column, biases 0. The last layer of a control is 0, so u = 0 at first.
/// A drift control starts as a copy of the prior drift where the two nets have the same hidden
/// widths and functions (u = 0 again); otherwise its last layer is 0 (v = 0). Constants start at
/// their `value`.
Parameters initialize(const Model& model, std::uint64_t seed);

/// Lets a drift control be the prior drift, as in `initialize`, once the drift's parameters have
/// changed. Whether the two nets allow it.
bool start_at_drift(Parameters& parameters, const Model& model);

/// Writes the safetensors format, float32, aside and renamed into place. Throws ito::Error.
void save_safetensors(const Parameters& parameters, const std::filesystem::path& file);

/// Reads values for the tensors of `layout` (its values are ignored): F32, F16 and BF16 exactly,
/// F64 rounded to float32. Refuses missing, extra or misshapen tensors and values that are not
/// finite in float32 by name. The round trip is bit-exact. Throws ito::Error.
Parameters load_safetensors(const Parameters& layout, const std::filesystem::path& file);

}  // namespace ito
#pragma GCC visibility pop
