// The way back of a training step, from the loss's derivatives by the sums of paths to Adam.
#include "cuda_training/training_step.hpp"

namespace ito::cuda {

/// To the cotangents of states.
void TrainingStep::decode_back(const Block& block, const Sweep& sweep) {
  const std::size_t rows = decoded(block);
  if (has_wide_nets()) {
    gpu_->clear(arrays_.sums_begin, static_cast<std::size_t>(arrays_.sums_end - arrays_.sums_begin),
                stream_.handle);
  }
  const SmallNet& small = decoder_.small;
  put(kernels_.decode_back,
      small ? small.blocks(rows) : blocks_of_threads(rows * sizes_.observed, net_threads),
      net_threads, small.shared_bytes(),
      DecodeBackArguments{
          arrays_.parameters, arrays_.states, decoder_.hidden, arrays_.slopes,
          sweep.by.log_likelihood,
          decoder_.wide ? decoder_.wide->cotangents_array() : arrays_.state_cotangents,
          decoder_.sums, number(rows), number(sizes_.times), number(sizes_.observed)});
  if (decoder_.wide) {
    nets(sweep.of_others ? arrays_.gradient : arrays_.unused_gradient)
        .backward(*decoder_.wide, arrays_.states, task_.shape.decoder->inputs(), rows,
                  arrays_.state_cotangents);
  }
}

void TrainingStep::adjoint(const Block& block, const Sweep& sweep) {
  std::span<float> contexts;
  if (sweep.of_posterior && encoded_cotangents() != nullptr) {
    contexts = {rows_.puts_together() ? rows_.cotangents : encoded_cotangents(),
                block.rows * sizes_.context_numbers};
  }
  const std::size_t state = size(task_.shape.model.state);
  std::span<float> starts;
  if (initial_) starts = {initial_->x0_cotangents(), block.paths * state};
  plan_.adjoint(
      stream_, {arrays_.parameters, sizes_.parameters}, recording_,
      {.states = {arrays_.state_cotangents, block.paths * sizes_.state_numbers()},
       .energy = {sweep.by.energy, block.paths},
       .martingale = {sweep.by.martingale, block.paths}},
      {.parameters = {sweep.of_others ? arrays_.model_gradient : arrays_.posterior_gradient,
                      sizes_.model_parameters},
       .x0 = starts,
       .context = contexts},
      {.detach_martingale_parameters = sweep.sticks_the_landing});
  if (initial_) {
    put(kernels_.reverse_initial, blocks_of_threads(block.rows * state * 32), service_threads, 0,
        initial_->reverse(start_of(block), sweep.by.energy, sweep.by.martingale, arrays_.dropped,
                          sequence_->head_cotangents(), sweep.sticks_the_landing));
  }
}

void TrainingStep::encode_back(const Block& block) {
  if (rows_.puts_together() && encoded_cotangents() != nullptr) {
    put(kernels_.own_cotangents, blocks_of_threads(block.rows * sizes_.own_numbers),
        service_threads, 0, rows_.own_cotangents(block.rows, encoded_cotangents(), lengths()));
  }
  if (encoder_.wide)
    nets().backward(*encoder_.wide, arrays_.scaled, task_.shape.encoder->inputs(), block.rows,
                    nullptr);
  if (sequence_) sequence_->backward(nets(), kernels_, picked(block));
  if (!encoder_.small) return;
  const auto [shift, scale] = scaling();
  put(kernels_.encode_back, encoder_.small.blocks(block.rows), net_threads,
      encoder_.small.shared_bytes(),
      EncodeBackArguments{arrays_.parameters, arrays_.y, encoder_.hidden, arrays_.context_slopes,
                          arrays_.context_cotangents, encoder_.sums, shift, scale,
                          number(block.rows), number(sizes_.row_numbers())});
}

/// The gradient of the block, beside those of the ones before; of the last, what the step comes to.
void TrainingStep::collect(const Block& block, std::size_t minibatch) {
  const auto part = [](const TrainingNet& net, std::size_t rows) -> GradientPart {
    if (!net.small) return {};
    return {net.sums, static_cast<unsigned>(net.small.spec.parameters),
            number(net.small.parameters()), net.small.blocks(rows)};
  };
  const auto of_scales = [&]() -> GradientPart {
    if (!sizes_.learned_scales) return {};
    return {arrays_.by_scales, number(task_.shape.log_scale), number(sizes_.scales),
            number(block.rows)};
  };
  const std::size_t parameters = sizes_.parameters, of_model = sizes_.model_parameters;
  const std::size_t control = sizes_.two_objectives ? sizes_.control : of_model;
  const auto of_control = [&]() -> GradientPart {
    if (!sizes_.two_objectives) return {};
    return {arrays_.posterior_gradient + control, number(control), number(of_model - control), 1};
  };
  put(kernels_.collect, collect_blocks(parameters), service_threads,
      service_threads * sizeof(double),
      CollectArguments{
          arrays_.record,
          arrays_.gradient,
          {{arrays_.model_gradient, 0, number(control), 1},
           of_control(),
           part(encoder_, block.rows),
           part(decoder_, decoded(block)),
           of_scales(),
           initial_ ? initial_->gradient(block.rows) : GradientPart{}},
          task_.fixed.empty() ? nullptr : arrays_.fixed,
          arrays_.partials,
          arrays_.arrivals + sizes_.observations + 1,
          number(parameters),
          number(has_learned_scale() ? task_.shape.log_scale : parameters),
          has_wide_nets() || block.first > 0,
          block.last,
          task_.options.clip_norm,
          task_.options.non_finite_limit * static_cast<double>(minibatch * sizes_.samples)});
}

void TrainingStep::move() {
  put(kernels_.move, blocks_of_threads(sizes_.parameters), service_threads, 0,
      AdamArguments{arrays_.record, arrays_.gradient, arrays_.exact, arrays_.first, arrays_.second,
                    arrays_.average, arrays_.parameters, number(sizes_.parameters)});
}

}  // namespace ito::cuda
