#include "inference/sequence_encoder.hpp"

#include <algorithm>
#include <cmath>

#include "engine/engine.hpp"
#include "model/check.hpp"

namespace ito {

void take_read_lengths(int reads, const SequenceRows& rows, std::vector<int>& read) {
  read.assign(rows.lengths.begin(), rows.lengths.end());
  const std::size_t numbers = rows.y.size() / std::max<std::size_t>(rows.rows() * rows.slots, 1);
  for (std::size_t row = 0; row < rows.rows() && reads > 0; ++row) {
    int seen = 0;
    for (std::size_t slot = 0; slot < size(rows.lengths[row]); ++slot) {
      const auto y = rows.y.subspan((row * rows.slots + slot) * numbers, numbers);
      seen += std::ranges::any_of(y, [](float v) { return !std::isnan(v); });
      if (seen < reads) continue;
      read[row] = static_cast<int>(slot) + 1;
      break;
    }
  }
}

template <class Real>
void write_observation(const SequenceEncoderShape& shape, const SequenceRows& rows, std::size_t row,
                       std::size_t slot, Real* to) {
  const std::size_t observed = size(shape.observed);
  const auto y = rows.y.subspan((row * rows.slots + slot) * observed, observed);
  for (std::size_t j = 0; j < observed; ++j) {
    const bool there = !std::isnan(y[j]);
    to[j] = there ? static_cast<Real>(shape.scale * (static_cast<double>(y[j]) - shape.shift))
                  : Real{0};
    to[observed + j] = there ? Real{1} : Real{0};
  }
  const std::size_t width = size(shape.inputs);
  const auto inputs = rows.inputs.subspan((row * rows.slots + slot) * width, width);
  std::ranges::transform(inputs, to + 2 * observed, [](float v) { return static_cast<Real>(v); });
}

template <class Real>
SequenceEncoder<Real>::SequenceEncoder(const SequenceEncoderShape& shape, Execution execution)
    : state_(size(shape.state())),
      context_(size(shape.context.outputs())),
      reads_(shape.reads),
      source_(std::holds_alternative<GruShape>(shape.states)
                  ? make_gru_states<Real>(shape, execution)
                  : make_attention_states<Real>(shape, execution)),
      context_net_(make_network<Real>(shape.context, execution)) {
  if (shape.initial) initial_net_ = make_network<Real>(*shape.initial, execution);
}

template <class Real>
void SequenceEncoder<Real>::pack(const SequenceRows& rows) {
  slots_ = rows.slots;
  lengths_.assign(rows.lengths.begin(), rows.lengths.end());
  take_read_lengths(reads_, rows, read_);
  packed_.pack(read_);
}

template <class Real>
template <class Use>
void SequenceEncoder<Real>::for_each_unread(const Use& use) const {
  for (std::size_t rank = 0; rank < packed_.rows() && packed_.length(rank) > 0; ++rank) {
    const std::size_t row = packed_.row(rank);
    for (std::size_t slot = packed_.length(rank); slot < size(lengths_[row]); ++slot)
      use(first_entry(rank), row, slot);
  }
}

template <class Real>
void SequenceEncoder<Real>::forward(std::span<const Real> parameters, const SequenceRows& rows,
                                    std::span<Real> context, std::span<Real> initial) {
  pack(rows);
  states_.resize(packed_.entries() * state_);
  contexts_.resize(packed_.entries() * context_);
  SequenceRows read = rows;
  read.lengths = read_;
  source_->forward(parameters, read, packed_, states_);
  context_net_->forward(parameters, states_, contexts_);
  std::ranges::fill(context, Real{0});
  const auto give = [&](std::size_t entry, std::size_t row, std::size_t slot) {
    std::copy_n(&contexts_[entry * context_], context_, &context[(row * slots_ + slot) * context_]);
  };
  packed_.for_each(give);
  for_each_unread(give);
  if (initial.empty()) return;
  first_.assign(packed_.rows() * state_, Real{0});
  for (std::size_t rank = 0; rank < packed_.rows() && packed_.length(rank) > 0; ++rank)
    std::copy_n(&states_[first_entry(rank) * state_], state_, &first_[packed_.row(rank) * state_]);
  initial_net_->forward(parameters, first_, initial);
}

template <class Real>
void SequenceEncoder<Real>::backward(std::span<const Real> parameters,
                                     std::span<const Real> context_cotangents,
                                     std::span<const Real> initial_cotangents,
                                     std::span<Real> parameter_gradient) {
  packed_.for_each([&](std::size_t entry, std::size_t row, std::size_t slot) {
    std::copy_n(&context_cotangents[(row * slots_ + slot) * context_], context_,
                &contexts_[entry * context_]);
  });
  for_each_unread([&](std::size_t entry, std::size_t row, std::size_t slot) {
    for (std::size_t i = 0; i < context_; ++i)
      contexts_[entry * context_ + i] += context_cotangents[(row * slots_ + slot) * context_ + i];
  });
  cotangents_.resize(states_.size());
  context_net_->backward(parameters, states_, contexts_, parameter_gradient, cotangents_);
  if (!initial_cotangents.empty()) {
    first_cotangents_.resize(first_.size());
    initial_net_->backward(parameters, first_, initial_cotangents, parameter_gradient,
                           first_cotangents_);
    for (std::size_t rank = 0; rank < packed_.rows() && packed_.length(rank) > 0; ++rank)
      for (std::size_t i = 0; i < state_; ++i)
        cotangents_[first_entry(rank) * state_ + i] +=
            first_cotangents_[packed_.row(rank) * state_ + i];
  }
  source_->backward(parameters, packed_, cotangents_, parameter_gradient);
}

template class SequenceEncoder<float>;
template class SequenceEncoder<double>;
template void write_observation(const SequenceEncoderShape&, const SequenceRows&, std::size_t,
                                std::size_t, float*);
template void write_observation(const SequenceEncoderShape&, const SequenceRows&, std::size_t,
                                std::size_t, double*);

}  // namespace ito
