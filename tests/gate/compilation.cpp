#include "gate/compilation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cuda/fused/adjoint.hpp"
#include "cuda/fused/simulate.hpp"
#include "cuda/fused/tangents.hpp"
#include "cuda/kernel_compiler.hpp"
#include "cuda/layered/block.hpp"
#include "cuda/layered/device_net.hpp"
#include "cuda/per_path/source.hpp"
#include "gate/bounds.hpp"
#include "kernels/per_path/arguments.cuh"

namespace ito::cuda {
namespace {

GpuProperties properties(GateTarget target) {
  return {.name = {},
          .compute_capability = target.compute_capability,
          .shared_memory_per_block = target.shared_memory_per_block};
}

/// Weights that a path meets in a step.
double weights(const FusedLayout& layout) {
  double out = 0;
  for (const NetLayout& net : layout.nets) {
    for (int l = 0; l < net.spec.layers; ++l)
      out += net.layers[l].rows * net.layers[l].inputs * net.layers[l].outputs;
  }
  return out;
}

bench::GpuWork work_of(const FusedModel& model, Precision precision, bool adjoint) {
  bench::GpuWork work{.channels = model.spec.noise,
                      .faithful = precision != Precision::fast,
                      .gradient = adjoint,
                      .adjoint_alone = adjoint};
  for (const NetLayout& net : model.layout.nets) {
    const NetSpec& spec = net.spec;
    if (spec.layers == 0) continue;
    work.nets.push_back({spec.inputs,
                         {spec.widths, spec.widths + spec.layers - 1},
                         spec.widths[spec.layers - 1],
                         spec.hidden});
  }
  return work;
}

/// A step of the adjoint goes once through the loop over each net's units.
std::vector<int> trips_of(const FusedModel& model, bool adjoint) {
  if (!adjoint) return {};
  const auto nets = std::ranges::count_if(model.layout.nets,
                                          [](const NetLayout& net) { return net.spec.layers > 0; });
  return std::vector<int>(static_cast<std::size_t>(nets), 1);
}

/// A kernel with a time loop and its nets on chip.
Compilation fused(const Model& description, const std::string& text, GateTarget target,
                  Precision precision, bool adjoint, bool in_registers, int unit_tiles = 0,
                  CallKind calls = {}) {
  // A kernel that fills all its registers may keep some addresses in local memory, which it writes
  // once and reads once a step, or with shared units for every net.
  // Grids of observations' own take some registers of warps that have none left.
  const int usual = !adjoint ? 8 : unit_tiles > 0 ? 352 : 192;
  const int with_grids = !adjoint ? 80 : unit_tiles > 0 ? 800 : 224;
  const int most_spilled = !in_registers ? -1 : calls.own_grids ? with_grids : usual;
  const FusedModel model(resolve(description), precision, properties(target), true, unit_tiles);
  const FusedLaunch& launch = adjoint ? model.layout.adjoint : model.layout.simulate;
  const double tile_steps = static_cast<double>(launch.tiles) / launch.warps;
  const std::string kernel = adjoint ? "adjoint" : "simulate";
  return {.label = fmt::format("sm_{:<4} {:<8} {}  {}", target.compute_capability, kernel,
                               name(precision), text),
          .source = adjoint ? adjoint_source(model, calls) : simulate_source(model, calls),
          .target = target,
          .kernel = "ito_" + kernel,
          .warps = launch.warps,
          .dynamic_shared = launch.shared_bytes,
          .most_spilled = most_spilled,
          .tile_steps = calls.own_grids ? 0 : tile_steps,
          .trips = trips_of(model, adjoint),
          // There; back: there again, through the weights, and into their gradients.
          .least_fmas = 16 * tile_steps * weights(model.layout) * (adjoint ? 3 : 1),
          .work = work_of(model, precision, adjoint),
          .most_instructions =
              most_instructions(target.compute_capability, kernel, name(precision), text)};
}

}  // namespace

std::string Compilation::architecture() const {
  return cubin_architecture(target.compute_capability, Nvrtc::instance().architectures());
}

Compilation compilation(const GateJob& job) {
  return fused(job.shape.model(), job.shape.text(), job.target, job.precision, job.adjoint,
               must_stay_in_registers(job));
}

Compilation compilation(const LatentJob& job) {
  return fused(job.model(), job.text(), job.target, job.precision, job.adjoint,
               !job.diffusion_net && job.width <= 64, job.unit_tiles, {.own_grids = job.own_grids});
}

namespace {

std::vector<Activation> every_activation() {
  std::vector<Activation> all;
  for (int i = 0; i < activation_count; ++i) all.push_back(static_cast<Activation>(i));
  return all;
}

}  // namespace

Compilation compilation(const LayeredJob& job) {
  const auto source = [&] {
    if (job.once) return device_net_source(job.precision);
    if (!job.shape) return layer_source(job.precision, every_activation());
    return layered_source({*job.shape, job.precision, properties(job.target), false},
                          {.own_grids = job.own_grids});
  };
  return {.label = fmt::format("sm_{:<4} layered  {}  {}", job.target.compute_capability,
                               name(job.precision), job.text),
          .source = source(),
          .target = job.target,
          .most_spilled = 0};
}

Compilation compilation(const SchemeJob& job) {
  if (job.fused) {
    return {.label = fmt::format("sm_{:<4} fused    {}  {}", job.target.compute_capability,
                                 name(job.precision), job.text),
            .source = fused_tangent_source(spec_of(job.shape), job.precision,
                                           static_cast<int>(job.target.shared_memory_per_block),
                                           {.own_grids = job.own_grids}),
            .target = job.target,
            .most_spilled = job.own_grids ? 656 : 480};
  }
  return {.label = fmt::format("sm_{:<4} per path {}  {}", job.target.compute_capability,
                               name(job.precision), job.text),
          .source = job.method ? per_path_source(spec_of(job.shape), job.precision, *job.method)
                               : tangent_source(spec_of(job.shape), job.precision),
          .target = job.target,
          .dynamic_shared = outer_numbers * (job.precision == Precision::fp64 ? 8 : 4),
          .most_spilled = job.method == GradientMethod::stochastic_adjoint ? -1 : 0};
}

Compilation compilation(const TrainingJob& job) {
  return {.label = fmt::format("sm_{:<4} training {}", job.target.compute_capability, job.text),
          .source = training_source(job.kind),
          .target = job.target,
          .most_spilled = 0};
}

}  // namespace ito::cuda
