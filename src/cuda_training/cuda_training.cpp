#include "cuda_training/cuda_training.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include <ito/check.hpp>
#include <ito/plan.hpp>

#include "cuda/buffer.hpp"
#include "cuda/layered/device_net.hpp"
#include "cuda_training/training_kernels.hpp"
#include "engine/workspace.hpp"
#include "inference/latent_paths.hpp"
#include "kernels/training/training_arguments.cuh"

namespace ito::cuda {
namespace {

constexpr std::size_t most_partials = 64;  ///< blocks that share the gradient's norm

/// Sizes of a minibatch's blocks.
struct BlockSizes {
  std::size_t observations, samples, row_numbers, state_numbers, context_numbers;

  std::size_t paths() const { return observations * samples; }
};

/// Device arrays of a training; R, N of the largest block.
struct TrainingArrays {
  TrainingRecord* record;
  StepEntry* steps;                          ///< of an epoch
  unsigned* order;                           ///< [count]
  float* values;                             ///< [count, L]
  double* constants;                         ///< [count]
  double *exact, *average, *first, *second;  ///< [P]
  float *parameters, *gradient;              ///< [P], parameters rounded from exact
  float* plan_gradient;                      ///< the model's own
  double* partials;
  float *y, *scaled;        ///< [R, L]; scaled is null without a context
  double* block_constants;  ///< [R]
  float *states, *energy, *martingale;
  unsigned char* dropped;
  double *log_likelihood, *log_scale_slopes;
  float* slopes;  ///< [N, L]; on the way back, cotangents of η. The decoder's, where there is one
  float *by_log_likelihood, *by_energy, *by_martingale;
  float* state_cotangents;
  std::array<float*, 2> deltas;      ///< of the nets' hidden layers, in turn
  std::byte *sums_begin, *sums_end;  ///< of the nets' gradients
  double* losses;                    ///< [R, 4]
};

struct Scaling {
  double shift = 0, scale = 1;
};
Scaling scaling_of(const Encoder& encoder) {
  return std::visit(
      []<class Kind>(const Kind& kind) -> Scaling {
        if constexpr (std::is_same_v<Kind, NoEncoder>) {
          return {};
        } else {
          return {kind.shift, kind.scale};
        }
      },
      encoder);
}

/// The likelihood's count or degrees of freedom.
float number_of(const Likelihood& likelihood) {
  if (const auto* binomial = std::get_if<Binomial>(&likelihood))
    return static_cast<float>(binomial->count);
  if (const auto* student = std::get_if<StudentT>(&likelihood))
    return static_cast<float>(student->degrees);
  return 1;
}

std::size_t size(int number) { return static_cast<std::size_t>(number); }

class CudaTraining final : public TrainingEngine {
 public:
  CudaTraining(const TrainingTask& task, TrainingState& state, int ordinal, std::size_t memory)
      : task_(task),
        state_(state),
        gpu_(open_gpu(ordinal)),
        memory_limit_(memory > 0 ? memory : gpu_->properties().memory / 4),
        batch_(std::min(task.options.batch, task.training.count)),
        sizes_{.observations =
                   block_observations(task.shape, task.options.samples, batch_, memory_limit_),
               .samples = task.options.samples,
               .row_numbers = size(task.shape.times) * size(task.shape.observed),
               .state_numbers = size(task.shape.times) * size(task.shape.model.state),
               .context_numbers =
                   size(task.shape.model.context()) * size(task.shape.model.intervals())},
        model_(task.latent.likelihood),
        plan_(task.latent.model, Device::cuda(ordinal),
              {.workspace_limit = std::max<std::size_t>(memory_limit_, block_memory)}),
        kernels_({task.latent.likelihood, task.options.objective}, *gpu_),
        net_kernels_(*gpu_, Precision::fp32),
        stream_(gpu_),
        memory_(gpu_),
        plan_workspace_(gpu_),
        product_workspace_(gpu_) {
    const LatentShape& shape = task.shape;
    if (shape.encoder || shape.decoder) product_workspace_.reserve(gpu_->product_workspace_bytes());
    if (shape.encoder && sizes_.context_numbers > 0)
      encoder_.emplace(*task_.shape.encoder, NetUse::once);
    if (shape.decoder) decoder_.emplace(*task_.shape.decoder, NetUse::once);
    plan_workspace_.reserve(workspace_for(
        plan_, {.field = "fit.samples", .count = sizes_.samples, .each = sizes_.observations},
        sizes_.context_numbers > 0 ? sizes_.observations : 1));
    Arena count(nullptr);
    lay_out(count);
    memory_.reserve(count.bytes());
    Arena arena(Arena::align(memory_.bytes()));
    lay_out(arena);
    upload_data();
    whole_ = capture(batch_);
    if (const std::size_t rest = task.training.count % batch_; rest > 0) ragged_ = capture(rest);
  }

  void begin(std::span<const std::size_t> order, std::span<const StepPlan> steps) override {
    steps_.assign(steps.begin(), steps.end());
    const std::vector<unsigned> places(order.begin(), order.end());
    std::vector<StepEntry> entries;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const std::uint64_t taken = state_.adam.steps - state_.step + s + 1;
      const AdamFactors factors =
          adam_factors(steps[s].learning_rate, task_.options.averaging, taken);
      entries.push_back({steps[s].seed, steps[s].annealing, factors.rate, factors.correction,
                         factors.average_share, static_cast<unsigned>(steps[s].first),
                         static_cast<unsigned>(steps[s].least_observations)});
    }
    TrainingRecord record{};
    record.next = static_cast<unsigned>(state_.step);
    record.epoch = {state_.sums.elbo, state_.sums.energy, state_.sums.observations,
                    state_.sums.non_finite};
    record.norms = state_.sums.gradient_norm;
    upload(arrays_.order, std::span<const unsigned>(places));
    upload(arrays_.steps, std::span<const StepEntry>(entries));
    upload(arrays_.record, std::span<const TrainingRecord>(&record, 1));
    const std::vector<float> parameters = rounded(state_.adam.parameters);
    upload(arrays_.parameters, std::span<const float>(parameters));
    for (const auto& [device, host] : numbers()) upload(device, std::span<const double>(*host));
    gpu_->synchronize(stream_.handle());  // the host's copies end here
  }

  void step(std::size_t step) override {
    (steps_[step].rows == batch_ ? whole_ : ragged_)->launch(stream_.handle());
    ++state_.adam.steps;
    state_.sums.learning_rate = steps_[step].learning_rate;
  }

  void finish() override {
    TrainingRecord record{};
    gpu_->copy(&record, arrays_.record, sizeof record, stream_.handle());
    for (const auto& [device, host] : numbers())
      gpu_->copy(host->data(), device, host->size() * sizeof(double), stream_.handle());
    gpu_->synchronize(stream_.handle());
    if (record.failed) {
      throw StepRefused(record.failed_step,
                        {.non_finite = static_cast<std::size_t>(record.failed_non_finite),
                         .observations = static_cast<std::size_t>(record.failed_observations),
                         .loss = record.failed_loss,
                         .gradient_norm = record.failed_norm});
    }
    EpochSums& sums = state_.sums;
    sums.elbo = record.epoch.elbo;
    sums.energy = record.epoch.energy;
    sums.observations = record.epoch.observations;
    sums.non_finite = record.epoch.non_finite;
    sums.gradient_norm = record.norms;
  }

 private:
  struct Block {
    std::size_t first, rows;  ///< of the minibatch
    double share;             ///< of an observation in the minibatch
    std::size_t paths;
  };

  void lay_out(Arena& arena);
  void upload_data();
  std::unique_ptr<GpuGraph> capture(std::size_t rows);
  void forward(const TrainingStream& stream, const Block& block);
  void compare(const TrainingStream& stream, const Block& block);
  void backward(const TrainingStream& stream, const Block& block);
  void finish_step(const TrainingStream& stream, std::size_t rows);

  Request request(const Block& block) const;
  NetWork<float> net_work(std::size_t rows) const;
  NetCall<float> net_call(const TrainingStream& stream, std::size_t rows) const;
  void pull_back(const DeviceNet<float>& net, const TrainingStream& stream, const float* x,
                 int width, std::size_t rows, float* x_cotangents) const;

  template <class T>
  void upload(T* to, std::span<const T> from) {
    gpu_->copy(to, from.data(), from.size_bytes(), stream_.handle());
  }
  /// The state's vectors, on the device and on the host.
  std::vector<std::pair<double*, std::vector<double>*>> numbers() {
    return {{arrays_.exact, &state_.adam.parameters},
            {arrays_.average, &state_.adam.average},
            {arrays_.first, &state_.adam.first},
            {arrays_.second, &state_.adam.second}};
  }

  TrainingTask task_;
  TrainingState& state_;
  std::shared_ptr<Gpu> gpu_;
  std::size_t memory_limit_, batch_;
  BlockSizes sizes_;
  ObservationModel model_;
  Plan plan_;
  TrainingKernels kernels_;
  DeviceNetKernels net_kernels_;
  OwnStream stream_;
  GpuBuffer memory_, plan_workspace_, product_workspace_;
  TrainingArrays arrays_{};
  std::optional<DeviceNet<float>> encoder_, decoder_;
  /// Of the block that is being put on the stream.
  const float *context_ = nullptr, *eta_ = nullptr;
  Recording recording_;
  std::unique_ptr<GpuGraph> whole_, ragged_;
  std::vector<StepPlan> steps_;  ///< of the epoch
};

void CudaTraining::lay_out(Arena& arena) {
  const std::size_t count = task_.training.count, parameters = task_.shape.parameters;
  const std::size_t rows = sizes_.observations, n = sizes_.paths();
  TrainingArrays& to = arrays_;
  to.record = arena.take<TrainingRecord>(1);
  to.steps = arena.take<StepEntry>((count + batch_ - 1) / batch_);
  to.order = arena.take<unsigned>(count);
  to.values = arena.take<float>(count * sizes_.row_numbers);
  to.constants = arena.take<double>(count);
  for (double** each : {&to.exact, &to.average, &to.first, &to.second})
    *each = arena.take<double>(parameters);
  to.parameters = arena.take<float>(parameters);
  to.gradient = arena.take<float>(parameters);
  to.plan_gradient = arena.take<float>(plan_.parameter_count());
  to.partials = arena.take<double>(most_partials);
  to.y = arena.take<float>(rows * sizes_.row_numbers);
  to.block_constants = arena.take<double>(rows);
  if (sizes_.context_numbers > 0) to.scaled = arena.take<float>(rows * sizes_.row_numbers);
  to.states = arena.take<float>(n * sizes_.state_numbers);
  for (float** each :
       {&to.energy, &to.martingale, &to.by_log_likelihood, &to.by_energy, &to.by_martingale})
    *each = arena.take<float>(n);
  to.dropped = arena.take<unsigned char>(n);
  to.log_likelihood = arena.take<double>(n);
  to.losses = arena.take<double>(4 * rows);
  if (task_.shape.log_scale) to.log_scale_slopes = arena.take<double>(n);
  if (decoder_) to.state_cotangents = arena.take<float>(n * sizes_.state_numbers);
  const std::array<std::pair<std::optional<DeviceNet<float>>*, std::size_t>, 2> nets{
      {{&encoder_, rows}, {&decoder_, n * size(task_.shape.times)}}};
  std::size_t widest = 0;
  for (const auto& [net, net_rows] : nets) {
    if (!*net) continue;
    (*net)->place(arena, static_cast<int>(net_rows));
    (*net)->place_cotangents(arena, static_cast<int>(net_rows));
    widest = std::max(widest, net_rows * size((*net)->widest()));
  }
  for (float*& delta : to.deltas) delta = arena.take<float>(widest);
  to.sums_begin = arena.take<std::byte>(0);
  for (const auto& [net, net_rows] : nets) {
    if (*net) (*net)->place_sums(arena, static_cast<int>(net_rows));
  }
  to.sums_end = arena.take<std::byte>(0);
  to.slopes = decoder_ ? decoder_->cotangents_array() : arena.take<float>(n * sizes_.row_numbers);
}

void CudaTraining::upload_data() {
  const Dataset& data = task_.training;
  const std::vector<double> constants = row_constants(model_, data.values, sizes_.row_numbers);
  upload(arrays_.values, std::span<const float>(data.values));
  upload(arrays_.constants, std::span<const double>(constants));
  gpu_->synchronize(stream_.handle());
}

std::unique_ptr<GpuGraph> CudaTraining::capture(std::size_t rows) {
  const TrainingStream stream{*gpu_, kernels_, stream_.handle()};
  return gpu_->capture(stream.handle, [&] {
    stream.launch(kernels_.begin_step, {1, 32, 0}, BeginArguments{arrays_.steps, arrays_.record});
    gpu_->clear(arrays_.gradient, task_.shape.parameters * sizeof(float), stream.handle);
    for (std::size_t first = 0; first < rows; first += sizes_.observations) {
      const std::size_t some = std::min(sizes_.observations, rows - first);
      const Block block{first, some, 1.0 / static_cast<double>(rows), some * sizes_.samples};
      forward(stream, block);
      compare(stream, block);
      backward(stream, block);
    }
    finish_step(stream, rows);
  });
}

Request CudaTraining::request(const Block& block) const {
  Request request{
      .paths = block.paths,
      .first_path = block.first * sizes_.samples,
      .seed_on_device = reinterpret_cast<const std::uint64_t*>(&arrays_.record->current.seed)};
  if (sizes_.context_numbers > 0) {
    request.context = {context_, block.rows * sizes_.context_numbers};
    request.paths_per_observation = sizes_.samples;
  }
  return request;
}

NetWork<float> CudaTraining::net_work(std::size_t rows) const {
  return {*gpu_,
          net_kernels_,
          Precision::fp32,
          static_cast<int>(rows),
          product_workspace_.data(),
          product_workspace_.bytes().size(),
          arrays_.deltas};
}

NetCall<float> CudaTraining::net_call(const TrainingStream& stream, std::size_t rows) const {
  NetCall<float> call;
  call.stream = Stream{stream.handle};
  call.parameters = arrays_.parameters;
  call.gradient = arrays_.gradient;
  call.rows = {0, static_cast<int>(rows), 0};
  return call;
}

/// From the block's rows to η.
void CudaTraining::forward(const TrainingStream& stream, const Block& block) {
  const auto [shift, scale] = scaling_of(task_.latent.encoder);
  stream.launch_each(
      kernels_.gather, block.rows * sizes_.row_numbers,
      GatherArguments{arrays_.record, arrays_.order, arrays_.values, arrays_.constants, arrays_.y,
                      arrays_.block_constants, arrays_.scaled, shift, scale,
                      static_cast<unsigned>(block.first), static_cast<unsigned>(block.rows),
                      static_cast<unsigned>(sizes_.row_numbers)});
  context_ = arrays_.scaled;
  if (encoder_) {
    encoder_->forward(net_work(block.rows), net_call(stream, block.rows), arrays_.scaled,
                      task_.shape.encoder->inputs());
    context_ = encoder_->outputs_array();
  }
  recording_ = plan_.record(Stream{stream.handle}, {arrays_.parameters, task_.shape.parameters},
                            request(block),
                            {.states = {arrays_.states, block.paths * sizes_.state_numbers},
                             .energy = {arrays_.energy, block.paths},
                             .martingale = {arrays_.martingale, block.paths},
                             .status = {arrays_.dropped, block.paths}},
                            plan_workspace_.bytes());
  const std::size_t numbers = block.paths * sizes_.state_numbers;
  stream.launch_each(kernels_.clear_dropped, numbers,
                     DroppedArguments{arrays_.dropped, arrays_.states, numbers,
                                      static_cast<unsigned>(sizes_.state_numbers)});
  eta_ = arrays_.states;
  if (decoder_) {
    const std::size_t rows = block.paths * size(task_.shape.times);
    decoder_->forward(net_work(rows), net_call(stream, rows), arrays_.states,
                      task_.shape.decoder->inputs());
    eta_ = decoder_->outputs_array();
  }
}

/// Likelihood, objective and the block's part of the step's sums.
void CudaTraining::compare(const TrainingStream& stream, const Block& block) {
  const auto rows = static_cast<unsigned>(block.rows), paths = static_cast<unsigned>(block.paths);
  const auto samples = static_cast<unsigned>(sizes_.samples);
  const auto length = static_cast<unsigned>(sizes_.row_numbers);
  const auto& log_scale = task_.shape.log_scale;
  stream.launch_warps(
      kernels_.compare, block.paths,
      CompareArguments{arrays_.y, eta_, arrays_.block_constants,
                       log_scale ? arrays_.parameters + *log_scale : nullptr,
                       arrays_.log_likelihood, arrays_.slopes, arrays_.log_scale_slopes,
                       arrays_.dropped, model_.initial_log_scale(),
                       number_of(task_.latent.likelihood), paths, samples, length});
  stream.launch_warps(
      kernels_.cotangents, block.rows,
      ObjectiveArguments{arrays_.record, arrays_.log_likelihood, arrays_.energy, arrays_.martingale,
                         arrays_.dropped, arrays_.by_log_likelihood, arrays_.by_energy,
                         arrays_.by_martingale, arrays_.losses, block.share, rows, samples});
  stream.launch(kernels_.add_block, {1, service_threads, service_threads / 32 * sizeof(double)},
                TotalArguments{arrays_.record, arrays_.losses, block.share, rows, samples, paths,
                               arrays_.by_log_likelihood, arrays_.log_scale_slopes, arrays_.dropped,
                               log_scale ? arrays_.gradient + *log_scale : nullptr});
  const std::size_t numbers = block.paths * sizes_.row_numbers;
  stream.launch_each(
      kernels_.weigh_slopes, numbers,
      EtaArguments{arrays_.by_log_likelihood, arrays_.dropped, arrays_.slopes, numbers, length});
}

/// From the cotangents of a net's outputs to those of its inputs and the gradient.
void CudaTraining::pull_back(const DeviceNet<float>& net, const TrainingStream& stream,
                             const float* x, int width, std::size_t rows,
                             float* x_cotangents) const {
  const NetWork<float> work = net_work(rows);
  net.backward(work, net_call(stream, rows), x, width,
               {.sums = true, .weights = true, .x = x_cotangents, .beta = 0});
  net.add_gradient(work, Stream{stream.handle}, arrays_.gradient);
}

/// From cotangents of η to the gradient.
void CudaTraining::backward(const TrainingStream& stream, const Block& block) {
  gpu_->clear(arrays_.sums_begin, static_cast<std::size_t>(arrays_.sums_end - arrays_.sums_begin),
              stream.handle);
  float* state_cotangents = arrays_.slopes;
  if (decoder_) {
    state_cotangents = arrays_.state_cotangents;
    pull_back(*decoder_, stream, arrays_.states, task_.shape.decoder->inputs(),
              block.paths * size(task_.shape.times), state_cotangents);
  }
  std::span<float> contexts;
  if (encoder_) contexts = {encoder_->cotangents_array(), block.rows * sizes_.context_numbers};
  plan_.adjoint(
      Stream{stream.handle}, {arrays_.parameters, task_.shape.parameters}, recording_,
      {.states = {state_cotangents, block.paths * sizes_.state_numbers},
       .energy = {arrays_.by_energy, block.paths},
       .martingale = {arrays_.by_martingale, block.paths}},
      {.parameters = {arrays_.plan_gradient, plan_.parameter_count()}, .context = contexts},
      {.detach_martingale_parameters = task_.options.objective == Objective::sticking_the_landing});
  if (plan_.parameter_count() > 0) {
    net_work(block.rows)
        .add_sums(Stream{stream.handle}, arrays_.plan_gradient, 1,
                  static_cast<int>(plan_.parameter_count()), arrays_.gradient);
  }
  if (encoder_) {
    pull_back(*encoder_, stream, arrays_.scaled, task_.shape.encoder->inputs(), block.rows,
              nullptr);
  }
}

void CudaTraining::finish_step(const TrainingStream& stream, std::size_t rows) {
  for (const Tensor& tensor : task_.fixed)
    gpu_->clear(arrays_.gradient + tensor.offset, tensor.size * sizeof(float), stream.handle);
  const auto count = static_cast<unsigned>(task_.shape.parameters);
  const auto partials = static_cast<unsigned>(
      std::min<std::size_t>((count + service_threads - 1) / service_threads, most_partials));
  stream.launch(kernels_.norm, {partials, service_threads, service_threads / 32 * sizeof(double)},
                NormArguments{arrays_.gradient, arrays_.partials, count});
  const auto paths = static_cast<double>(rows * sizes_.samples);
  stream.launch(kernels_.finish_step, {1, 32, 0},
                FinishArguments{arrays_.record, arrays_.partials, partials, task_.options.clip_norm,
                                task_.options.non_finite_limit * paths});
  stream.launch_each(kernels_.move, count,
                     AdamArguments{arrays_.record, arrays_.gradient, arrays_.exact, arrays_.first,
                                   arrays_.second, arrays_.average, arrays_.parameters, count});
}

}  // namespace

std::unique_ptr<TrainingEngine> make_cuda_training(const TrainingTask& task, TrainingState& state,
                                                   int ordinal, std::size_t memory) {
  return std::make_unique<CudaTraining>(task, state, ordinal, memory);
}

}  // namespace ito::cuda
