#include "inference/context_encoder.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "engine/engine.hpp"
#include "model/check.hpp"

namespace ito {

template <class Real>
void scale_observations(const Encoder& encoder, std::span<const float> y, std::span<Real> scaled) {
  const auto [shift, scale] = std::visit(
      []<class Kind>(const Kind& kind) -> std::pair<double, double> {
        if constexpr (std::is_same_v<Kind, NoEncoder>) {
          return {0.0, 1.0};
        } else {
          return {kind.shift, kind.scale};
        }
      },
      encoder);
  for (std::size_t i = 0; i < y.size(); ++i)
    scaled[i] = static_cast<Real>(scale * (static_cast<double>(y[i]) - shift));
}

template void scale_observations(const Encoder&, std::span<const float>, std::span<float>);
template void scale_observations(const Encoder&, std::span<const float>, std::span<double>);

template <class Real>
ContextEncoder<Real>::ContextEncoder(const LatentModel& latent, const LatentShape& shape,
                                     std::size_t capacity, Execution execution)
    : encoder_(latent.encoder),
      row_numbers_(size(shape.times) * size(shape.observed)),
      inputs_(size(shape.model.inputs)),
      own_numbers_(size(shape.model.own_context())) {
  if (inputs_ > 0) own_.resize(capacity * size(shape.model.intervals()) * own_numbers_);
  if (shape.encoder) {
    net_ = make_network<Real>(*shape.encoder, execution);
    scaled_.resize(capacity * row_numbers_);
  }
  if (!shape.sequence_encoder) return;
  sequence_.emplace(*shape.sequence_encoder, execution);
  whole_lengths_.assign(capacity, shape.times);
  for (std::size_t row = 0; row < capacity; ++row)
    for (const int step : shape.model.save) save_times_.push_back(shape.model.grid[size(step)]);
}

template <class Real>
void ContextEncoder<Real>::forward(std::span<const Real> parameters, SequenceRows rows,
                                   std::span<Real> context, std::span<Real> initial) {
  if (context.empty()) return;
  if (inputs_ == 0) return encode(parameters, rows, context, initial);
  const std::size_t count = rows.inputs.size() / inputs_;
  const std::span<Real> own = own_rows(count);
  if (own_numbers_ > 0) encode(parameters, rows, own, initial);
  auto to = context.begin();
  for (std::size_t row = 0; row < count; ++row) {
    for (const float value : rows.inputs.subspan(row * inputs_, inputs_))
      *to++ = static_cast<Real>(value);
    to = std::ranges::copy(own.subspan(row * own_numbers_, own_numbers_), to).out;
  }
}

template <class Real>
void ContextEncoder<Real>::encode(std::span<const Real> parameters, SequenceRows rows,
                                  std::span<Real> context, std::span<Real> initial) {
  if (sequence_) {
    const std::size_t count = rows.y.size() / row_numbers_;
    if (rows.times.empty()) rows.times = std::span(save_times_).first(count * rows.slots);
    if (rows.lengths.empty()) rows.lengths = std::span(whole_lengths_).first(count);
    return sequence_->forward(parameters, rows, context, initial);
  }
  if (!net_) return scale_observations<Real>(encoder_, rows.y, context);
  last_scaled_ = std::span(scaled_).first(rows.y.size());
  scale_observations<Real>(encoder_, rows.y, last_scaled_);
  net_->forward(parameters, last_scaled_, context);
}

template <class Real>
void ContextEncoder<Real>::backward(std::span<const Real> parameters,
                                    std::span<const Real> context_cotangents,
                                    std::span<const Real> initial_cotangents,
                                    std::span<Real> gradient) {
  if (inputs_ > 0) {
    const std::size_t width = inputs_ + own_numbers_, count = context_cotangents.size() / width;
    const std::span<Real> own = own_rows(count);
    for (std::size_t row = 0; row < count; ++row) {
      std::ranges::copy(context_cotangents.subspan(row * width + inputs_, own_numbers_),
                        own.begin() + static_cast<std::ptrdiff_t>(row * own_numbers_));
    }
    context_cotangents = own;
  }
  if (sequence_) sequence_->backward(parameters, context_cotangents, initial_cotangents, gradient);
  if (net_) net_->backward(parameters, last_scaled_, context_cotangents, gradient, {});
}

template class ContextEncoder<float>;
template class ContextEncoder<double>;

}  // namespace ito
