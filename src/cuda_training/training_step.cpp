#include "cuda_training/training_step.hpp"

#include <algorithm>
#include <variant>
#include <vector>

#include "engine/workspace.hpp"
#include "inference/latent_paths.hpp"
#include "inference/observation_model.hpp"

namespace ito::cuda {
namespace {

/// An encoder without a context to make is none.
const std::optional<NetShape>& encoder_of(const TrainingTask& task, const TrainingSizes& sizes) {
  static const std::optional<NetShape> none;
  return sizes.own_numbers > 0 ? task.shape.encoder : none;
}

std::optional<DeviceSequenceEncoder> sequence_of(const TrainingTask& task, std::size_t rows) {
  if (!task.shape.sequence_encoder) return {};
  return std::make_optional<DeviceSequenceEncoder>(task, rows);
}

std::optional<DeviceInitialPosterior> initial_of(const TrainingTask& task) {
  if (!task.shape.sequence_encoder || !task.shape.sequence_encoder->initial) return {};
  return DeviceInitialPosterior(task.shape.model);
}

}  // namespace

float number_of(const Likelihood& likelihood) {
  if (const auto* binomial = std::get_if<Binomial>(&likelihood))
    return static_cast<float>(binomial->count);
  if (const auto* student = std::get_if<StudentT>(&likelihood))
    return static_cast<float>(student->degrees);
  return 1;
}

TrainingStep::TrainingStep(const TrainingTask& task, std::shared_ptr<Gpu> gpu, int ordinal,
                           std::size_t memory)
    : task_(task),
      gpu_(std::move(gpu)),
      sizes_(task, memory),
      rows_(task),
      encoder_(encoder_of(task, sizes_), sizes_.observations,
               gpu_->properties().shared_memory_per_block),
      decoder_(task.shape.decoder, sizes_.paths() * sizes_.times,
               gpu_->properties().shared_memory_per_block),
      sequence_(sequence_of(task, sizes_.observations)),
      initial_(initial_of(task)),
      plan_(task.latent.model, Device::cuda(ordinal),
            {.workspace_limit = std::max<std::size_t>(memory, block_memory)}),
      kernels_(kind(), *gpu_),
      memory_(gpu_),
      plan_workspace_(gpu_),
      product_workspace_(gpu_) {
  if (has_wide_nets()) {
    net_kernels_.emplace(*gpu_, Precision::fp32);
    product_workspace_.reserve(gpu_->product_workspace_bytes());
  }
  plan_workspace_.reserve(workspace_for(
      plan_, {.field = "fit.samples", .count = sizes_.samples, .each = sizes_.observations},
      sizes_.context_numbers > 0 || rows_.has_grids() ? sizes_.observations : 1));
  const auto lay_out = [this](Arena arena) {
    arrays_.lay_out(arena, sizes_, encoder_, decoder_, sequence_);
    rows_.place(arena, sizes_.count, sizes_.observations);
    if (initial_) initial_->place(arena, sizes_.observations, sizes_.samples);
    return arena.bytes();
  };
  memory_.reserve(lay_out(Arena(nullptr)));
  lay_out(Arena(Arena::align(memory_.bytes())));
}

TrainingKind TrainingStep::kind() const {
  const Encoder& encoder = task_.latent.encoder;
  return {task_.latent.likelihood,
          task_.options.objective,
          encoder_.small,
          decoder_.small,
          static_cast<bool>(rows_),
          std::holds_alternative<GruEncoder>(encoder),
          std::holds_alternative<AttentionEncoder>(encoder),
          initial_.has_value()};
}

/// The last of them leaves its decoder's and prior's gradient where `collect` finds it.
std::vector<TrainingStep::Sweep> TrainingStep::sweeps() const {
  if (!sizes_.two_objectives) {
    return {{arrays_.by, task_.options.objective == Objective::sticking_the_landing, true, true}};
  }
  return {{arrays_.posterior_by, true, true, false}, {arrays_.by, false, false, true}};
}

std::unique_ptr<GpuGraph> TrainingStep::capture(GpuStream stream, std::size_t rows) {
  stream_ = Stream{stream};
  return gpu_->capture(stream, [&] {
    if (has_wide_nets())  // they add to it
      gpu_->clear(arrays_.gradient, sizes_.parameters * sizeof(float), stream);
    for (std::size_t first = 0; first < rows; first += sizes_.observations) {
      const std::size_t some = std::min(sizes_.observations, rows - first);
      const Block block{first, some, 1.0 / static_cast<double>(rows), some * sizes_.samples,
                        first + some == rows};
      encode(block);
      gather(block);
      simulate(block);
      decode(block);
      for (const Sweep& sweep : sweeps()) {
        decode_back(block, sweep);
        adjoint(block, sweep);
        if (sweep.of_posterior) encode_back(block);
      }
      collect(block, rows);
    }
    move();
  });
}

TrainingStep::Scaling TrainingStep::scaling() const {
  return std::visit(
      []<class Kind>(const Kind& kind) -> Scaling {
        if constexpr (std::is_same_v<Kind, NoEncoder>) {
          return {};
        } else {
          return {kind.shift, kind.scale};
        }
      },
      task_.latent.encoder);
}

NetCalls TrainingStep::nets(float* gradient) const {
  return {*gpu_,          *net_kernels_, product_workspace_.bytes(),
          arrays_.deltas, stream_,       arrays_.parameters,
          gradient};
}

/// The block's rows and their contexts.
void TrainingStep::encode(const Block& block) {
  const auto [shift, scale] = scaling();
  const SmallNet& small = encoder_.small;
  put(kernels_.encode,
      small ? small.blocks(block.rows)
            : blocks_of_threads(block.rows * sizes_.row_numbers(), net_threads),
      net_threads, small.shared_bytes(),
      EncodeArguments{arrays_.record,
                      arrays_.steps,
                      arrays_.order,
                      arrays_.values,
                      arrays_.constants,
                      arrays_.parameters,
                      arrays_.y,
                      arrays_.block_constants,
                      arrays_.scaled,
                      encoder_.hidden,
                      arrays_.context_slopes,
                      arrays_.contexts,
                      shift,
                      scale,
                      number(block.first),
                      number(block.rows),
                      number(sizes_.row_numbers()),
                      sizes_.learned_scales ? arrays_.parameters + task_.shape.log_scale : nullptr,
                      arrays_.scales,
                      number(sizes_.observed),
                      number_of(task_.latent.likelihood)});
  if (encoder_.wide) {
    nets().forward(*encoder_.wide, arrays_.scaled, task_.shape.encoder->inputs(), block.rows);
  }
  if (sequence_)
    sequence_->forward(nets(), kernels_, picked(block), arrays_.values, rows_.all_inputs);
}

PickedRows TrainingStep::picked(const Block& block) const {
  return {arrays_.record, arrays_.order, number(block.first), number(block.rows)};
}

const float* TrainingStep::encoded() const {
  if (sequence_) return sequence_->contexts();
  if (encoder_.small) return arrays_.contexts;
  return encoder_.wide ? encoder_.wide->outputs_array() : arrays_.scaled;
}

float* TrainingStep::encoded_cotangents() const {
  if (sequence_) return sequence_->context_cotangents();
  if (encoder_.small) return arrays_.context_cotangents;
  return encoder_.wide ? encoder_.wide->cotangents_array() : nullptr;
}

/// The rows' own grids, and the context where inputs are part of it.
void TrainingStep::gather(const Block& block) {
  if (!rows_) return;
  put(kernels_.gather, blocks_of_threads(block.rows * rows_.most_numbers()), service_threads, 0,
      rows_.gathered(picked(block), encoded(), lengths()));
}

Request TrainingStep::request(const Block& block) const {
  Request request{
      .paths = block.paths,
      .first_path = block.first * sizes_.samples,
      .seed_on_device = reinterpret_cast<const std::uint64_t*>(&arrays_.record->current.seed)};
  if (sizes_.context_numbers > 0) {
    request.context = {rows_.puts_together() ? rows_.contexts : encoded(),
                       block.rows * sizes_.context_numbers};
  }
  if (initial_) request.x0 = {initial_->x0(), block.paths * size(task_.shape.model.state)};
  request.grid = {rows_.block_steps, block.rows * rows_.steps};
  request.save = {rows_.block_saves, block.rows * rows_.saves};
  if (sizes_.context_numbers > 0 || rows_.has_grids())
    request.paths_per_observation = sizes_.samples;
  return request;
}

InitialArguments TrainingStep::start_of(const Block& block) const {
  return initial_->with_prior(
      {arrays_.record, sequence_->heads(), nullptr, nullptr, block.first * sizes_.samples,
       number(block.rows), number(sizes_.samples), 0},
      arrays_.parameters);
}

void TrainingStep::simulate(const Block& block) {
  if (initial_) {
    put(kernels_.draw_initial, blocks_of_threads(block.paths), service_threads, 0,
        initial_->draw(start_of(block)));
  }
  recording_ = plan_.record(stream_, {arrays_.parameters, sizes_.parameters}, request(block),
                            {.states = {arrays_.states, block.paths * sizes_.state_numbers()},
                             .energy = {arrays_.energy, block.paths},
                             .martingale = {arrays_.martingale, block.paths},
                             .status = {arrays_.dropped, block.paths}},
                            plan_workspace_.bytes());
}

/// From states to the loss and its derivatives by the sums of paths.
void TrainingStep::decode(const Block& block) {
  const float* x = arrays_.states;
  if (decoder_.wide) {
    const std::size_t numbers = block.paths * sizes_.state_numbers();
    put(kernels_.clear_dropped, blocks_of_threads(numbers), service_threads, 0,
        DroppedArguments{arrays_.dropped, arrays_.states, numbers, number(sizes_.state_numbers())});
    nets().forward(*decoder_.wide, arrays_.states, task_.shape.decoder->inputs(), decoded(block));
    x = decoder_.wide->outputs_array();
  }
  const Likelihood& likelihood = task_.latent.likelihood;
  DecodeArguments arguments{};
  arguments.record = arrays_.record;
  arguments.parameters = arrays_.parameters;
  arguments.x = x;
  arguments.y = arrays_.y;
  arguments.constants = arrays_.block_constants;
  if (has_learned_scale()) arguments.log_scale = arrays_.parameters + task_.shape.log_scale;
  arguments.scales = arrays_.scales;
  if (initial_) arguments.initial = initial_->sums();
  arguments.energy = arrays_.energy;
  arguments.martingale = arrays_.martingale;
  arguments.dropped = arrays_.dropped;
  arguments.hidden = decoder_.hidden;
  arguments.slopes = arrays_.slopes;
  arguments.values = arrays_.row_values;
  arguments.log_scale_slopes = arrays_.log_scale_slopes;
  arguments.scale_slopes = arrays_.scale_slopes;
  arguments.by_scales = arrays_.by_scales;
  arguments.log_likelihood = arrays_.log_likelihood;
  arguments.by = arrays_.by;
  arguments.posterior = arrays_.posterior_by;
  arguments.losses = arrays_.losses;
  arguments.arrivals = arrays_.arrivals;
  arguments.fixed_log_scale = ObservationModel(likelihood).log_scales().all;
  arguments.share = block.share;
  arguments.number = number_of(likelihood);
  arguments.observations = number(block.rows);
  arguments.samples = number(sizes_.samples);
  arguments.times = number(sizes_.times);
  arguments.observed = number(sizes_.observed);
  put(kernels_.decode, decoder_.small.blocks(decoded(block)), net_threads,
      decoder_.small.shared_bytes(), arguments);
}

}  // namespace ito::cuda
