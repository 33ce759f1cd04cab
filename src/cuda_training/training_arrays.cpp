#include "cuda_training/training_arrays.hpp"

#include <algorithm>

#include "cuda/launches.hpp"
#include "inference/latent_paths.hpp"
#include "inference/observation_model.hpp"

namespace ito::cuda {
namespace {

std::size_t size(int number) { return static_cast<std::size_t>(number); }

std::size_t control_of(const ModelShape& model) {
  for (const Tensor& tensor : model.tensors)
    if (tensor.name.starts_with("control.")) return tensor.offset;
  return model.parameters;
}

}  // namespace

TrainingSizes::TrainingSizes(const TrainingTask& task, std::size_t memory)
    : count(task.training.count),
      batch(std::min(task.options.batch, count)),
      observations(block_observations(task.shape, task.options.samples, batch, memory)),
      samples(task.options.samples),
      times(size(task.shape.times)),
      observed(size(task.shape.observed)),
      state(size(task.shape.model.state)),
      context_numbers(size(task.shape.model.context()) * size(task.shape.model.intervals())),
      own_numbers(size(task.shape.model.own_context()) * size(task.shape.model.intervals())),
      parameters(task.shape.parameters),
      model_parameters(task.shape.model.parameters),
      scales(ObservationModel(task.latent.likelihood).log_scales().each.size()),
      learned_scales(scales > 0 && task.shape.log_scales > 0),
      two_objectives(task.options.objective == Objective::partially_importance_weighted),
      control(control_of(task.shape.model)) {}

TrainingNet::TrainingNet(const std::optional<NetShape>& net, std::size_t most_rows,
                         std::size_t shared_memory)
    : rows(most_rows), small(small_net(net, rows, shared_memory)) {
  if (net && !small) wide.emplace(*net);
}

void TrainingNet::place(Arena& arena) {
  if (wide) {
    wide->place(arena, static_cast<int>(rows));
    wide->place_cotangents(arena, static_cast<int>(rows));
  }
  if (small) {
    hidden = arena.take<float>(rows * size(hidden_channels(small.spec)));
    sums = arena.take<float>(small.blocks(rows) * small.parameters());
  }
}

void TrainingArrays::lay_out(Arena& arena, const TrainingSizes& sizes, TrainingNet& encoder,
                             TrainingNet& decoder, std::optional<DeviceSequenceEncoder>& sequence) {
  const std::size_t rows = sizes.observations, n = sizes.paths(), decoded = n * sizes.times;
  record = arena.take<TrainingRecord>(1);
  steps = arena.take<StepEntry>((sizes.count + sizes.batch - 1) / sizes.batch);
  order = arena.take<unsigned>(sizes.count);
  values = arena.take<float>(sizes.count * sizes.row_numbers());
  constants = arena.take<RowConstant>(sizes.count);
  for (double** each : {&exact, &average, &first, &second})
    *each = arena.take<double>(sizes.parameters);
  parameters = arena.take<float>(sizes.parameters);
  gradient = arena.take<float>(sizes.parameters);
  fixed = arena.take<unsigned char>(sizes.parameters);
  model_gradient = arena.take<float>(sizes.model_parameters);
  partials = arena.take<double>(collect_blocks(sizes.parameters));
  arrivals = arena.take<unsigned>(rows + 2);
  y = arena.take<float>(rows * sizes.row_numbers());
  block_constants = arena.take<RowConstant>(rows);
  if (encoder.small) {
    for (float** each : {&contexts, &context_slopes, &context_cotangents})
      *each = arena.take<float>(rows * sizes.own_numbers);
  } else if (sizes.own_numbers > 0 && !sequence) {
    scaled = arena.take<float>(rows * sizes.row_numbers());
  }
  states = arena.take<float>(n * sizes.state_numbers());
  state_cotangents = arena.take<float>(n * sizes.state_numbers());
  for (float** each : {&energy, &martingale}) *each = arena.take<float>(n);
  const auto take_cotangents = [&](CotangentRows& rows_of) {
    for (float** each : {&rows_of.log_likelihood, &rows_of.energy, &rows_of.martingale})
      *each = arena.take<float>(n);
  };
  take_cotangents(by);
  if (sizes.two_objectives) {
    take_cotangents(posterior_by);
    posterior_gradient = arena.take<float>(sizes.model_parameters);
    unused_gradient = arena.take<float>(sizes.parameters);
  }
  dropped = arena.take<unsigned char>(n);
  row_values = arena.take<double>(decoded);
  log_scale_slopes = arena.take<double>(decoded);
  scales = arena.take<NumberScale>(sizes.scales);
  if (sizes.learned_scales) {
    scale_slopes = arena.take<float>(decoded * sizes.scales);
    by_scales = arena.take<float>(rows * sizes.scales);
  }
  log_likelihood = arena.take<double>(n);
  slopes = arena.take<float>(decoded * sizes.observed);
  losses = arena.take<double>(loss_numbers * rows);
  std::size_t widest = 0;
  for (TrainingNet* net : {&encoder, &decoder}) {
    net->place(arena);
    if (net->wide) widest = std::max(widest, net->rows * size(net->wide->widest()));
  }
  if (sequence) {
    sequence->place(arena);
    widest = std::max(widest, sequence->delta_numbers());
  }
  for (float*& delta : deltas) delta = arena.take<float>(widest);
  sums_begin = arena.take<std::byte>(0);
  for (TrainingNet* net : {&encoder, &decoder}) {
    if (net->wide) net->wide->place_sums(arena, static_cast<int>(net->rows));
  }
  if (sequence) sequence->place_sums(arena);
  sums_end = arena.take<std::byte>(0);
}

unsigned collect_blocks(std::size_t parameters) {
  constexpr std::size_t columns = service_threads / collect_rows;
  return static_cast<unsigned>((parameters + columns - 1) / columns);
}

}  // namespace ito::cuda
