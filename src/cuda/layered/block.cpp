#include "cuda/layered/block.hpp"

#include <algorithm>

#include "engine/call.hpp"

namespace ito::cuda {

KernelSource layered_source(const FusedModel& model, CallKind calls) {
  constexpr int threads = 32 * layered_warps;
  const char* forward = "LayeredSimulateArguments<Number>";
  const char* back = "LayeredAdjointArguments<Number>";
  return KernelText({"device/parameters.cuh", "device/context_rows.cuh", "layered/simulate.cuh",
                     "layered/adjoint.cuh"},
                    model.precision)
      .model(model.spec, model.shared_memory, calls)
      .shape("FusedShape<ito::cuda::OutputsAlone<Model>, P, ito::cuda::FusedKernel::step>")
      .kernel("ito_pack", "PackArguments<Number>", "pack_parameters<P, Shape>")
      .kernel("ito_start", forward, "layered_start<P, Shape>", threads)
      .kernel("ito_step", forward, "layered_step<P, Shape>", threads)
      .kernel("ito_finish", forward, "layered_finish<P, Shape>", threads)
      .kernel("ito_add_cotangents", back, "layered_add_cotangents<P, Shape>", threads)
      .kernel("ito_reverse", back, "layered_reverse<P, Shape>", threads)
      .kernel("ito_initial_gradient", back, "layered_initial_gradient<P, Shape>", threads)
      .kernel("ito_sigma_gradient", "SigmaGradientArguments<Number>", "sigma_gradient<P, Shape>")
      .context_rows(model.spec)
      .context_row_gradients(model.spec)
      .named("layered");
}

StepKernels::StepKernels(Gpu& gpu, const KernelSource& source)
    : module(gpu.compile(source)),
      start(module->kernel("ito_start")),
      step(module->kernel("ito_step")),
      finish(module->kernel("ito_finish")),
      add_cotangents(module->kernel("ito_add_cotangents")),
      reverse(module->kernel("ito_reverse")),
      initial_gradient(module->kernel("ito_initial_gradient")) {}

template <class Real>
BlockTiles LayeredCall<Real>::tiles(std::uint64_t first_place, std::uint64_t b) const {
  const auto places = static_cast<std::uint64_t>(space.work.rows) / 16;  // of tiles in a block
  const std::uint64_t begin = b * places;
  const std::uint64_t first = std::max(first_place, begin);
  const std::uint64_t end =
      std::min(first_place + static_cast<std::uint64_t>(path.tiles), begin + places);
  return {static_cast<int>(16 * (first - begin)), static_cast<int>(first - first_place),
          static_cast<int>(end - first)};
}

template <class Real>
Real* LayeredCall<Real>::on_tape(std::uint64_t b, int k) const {
  const std::uint64_t checkpoint = static_cast<std::uint64_t>(k) / space.tape.stride;
  const ChainSize chain{block_size(), 2 * block_size()};
  return space.states + (b * space.tape.checkpoints + checkpoint) * space.tape.entry(chain);
}

template <class Real>
StepCall<Real> LayeredCall<Real>::at(const BlockTiles& tiles, int k) const {
  StepCall<Real> step;
  step.stream = stream;
  step.parameters = parameters;
  step.tiles = tiles;
  step.k = k;
  step.time = static_cast<Real>(shape.grid[static_cast<std::size_t>(k)]);
  step.interval = shape.context_steps.empty() ? 0 : interval_of(shape, k);
  step.intervals = path.intervals;
  step.map = path.map;
  if (path.own_grids != 0) step.own_grids = path.grid + k;
  step.steps = path.steps;
  step.bias_rows = space.bias_rows;
  step.row_sums = space.row_sums;
  return step;
}

template <class Real>
NetOutputs<Real> LayeredCall<Real>::outputs() const {
  const auto of = [](const std::optional<StepNet<Real>>& net) {
    return net ? net->outputs_array() : nullptr;
  };
  return {of(space.drift), of(space.diffusion), of(space.control)};
}

template <class Real>
NetOutputs<Real> LayeredCall<Real>::biases() const {
  const auto of = [this](const std::optional<StepNet<Real>>& net) {
    return net ? net->missing_bias(parameters) : nullptr;
  };
  return {of(space.drift), of(space.diffusion), of(space.control)};
}

template <class Real>
NetScales LayeredCall<Real>::scales(int k) const {
  const auto of = [k](const std::optional<StepNet<Real>>& net) {
    return net ? net->output_scale(k) : nullptr;
  };
  return {of(space.drift), of(space.diffusion), of(space.control)};
}

template <class Real>
void LayeredCall<Real>::evaluate_nets(const StepCall<Real>& step, const Real* x, bool keep) const {
  for (const auto* net : {&space.drift, &space.diffusion, &space.control}) {
    if (*net) (*net)->forward(space.work, step, x, width(), keep);
  }
}

template BlockTiles LayeredCall<float>::tiles(std::uint64_t, std::uint64_t) const;
template float* LayeredCall<float>::on_tape(std::uint64_t, int) const;
template StepCall<float> LayeredCall<float>::at(const BlockTiles&, int) const;
template NetOutputs<float> LayeredCall<float>::outputs() const;
template NetOutputs<float> LayeredCall<float>::biases() const;
template NetScales LayeredCall<float>::scales(int) const;
template void LayeredCall<float>::evaluate_nets(const StepCall<float>&, const float*, bool) const;
template BlockTiles LayeredCall<double>::tiles(std::uint64_t, std::uint64_t) const;
template double* LayeredCall<double>::on_tape(std::uint64_t, int) const;
template StepCall<double> LayeredCall<double>::at(const BlockTiles&, int) const;
template NetOutputs<double> LayeredCall<double>::outputs() const;
template NetOutputs<double> LayeredCall<double>::biases() const;
template NetScales LayeredCall<double>::scales(int) const;
template void LayeredCall<double>::evaluate_nets(const StepCall<double>&, const double*,
                                                 bool) const;

}  // namespace ito::cuda
