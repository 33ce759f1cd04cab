#include "cuda/fused/tangents.hpp"

#include <algorithm>
#include <optional>

#include "cuda/arguments.hpp"

namespace ito::cuda {
namespace {

FusedLayout tangent_layout(const ModelSpec& spec, Precision precision, int shared_memory) {
  return fused_layout(spec, precision == Precision::fp64 ? exact_format : any_size_format,
                      shared_memory, false);
}

template <class Real>
class FusedTangents final : public TangentKernels<Real> {
 public:
  FusedTangents(const FusedModel& model, std::shared_ptr<Gpu> gpu)
      : spec_(model.spec),
        precision_(model.precision),
        shared_memory_(model.shared_memory),
        layout_(tangent_layout(spec_, precision_, shared_memory_)),
        gpu_(std::move(gpu)),
        plain_(gpu_->compile(source({}))) {}

  const GpuModule& module() const override { return *plain_; }
  typename TangentKernels<Real>::Sizes sizes() const override {
    return {.numbers = layout_.number_count, .fragments = layout_.fragment_count};
  }
  void run(const TangentArguments<Real>& arguments, std::uint64_t, std::uint64_t blocks,
           Real*) const override {
    std::shared_ptr<const GpuModule> module = plain_;
    const PathArguments<Real>& path = arguments.call.path;
    if (path.refinement != 0 || path.own_grids != 0) {
      std::shared_ptr<const GpuModule>& other = path.own_grids != 0 ? own_grids_ : refined_;
      if (!other)
        other = gpu_->compile(
            source({.refined = path.refinement != 0, .own_grids = path.own_grids != 0}));
      module = other;
    }
    // `blocks` are tiles times directions: a block has some warps, each of which takes some.
    const auto warps = static_cast<std::uint64_t>(layout_.simulate.warps);
    launch(*gpu_, module->kernel("ito_tangents"), (blocks + warps - 1) / warps,
           static_cast<int>(32 * warps), layout_.simulate.shared_bytes, arguments, {});
  }

 private:
  KernelSource source(CallKind calls) const {
    return fused_tangent_source(spec_, precision_, shared_memory_, calls);
  }

  ModelSpec spec_;
  Precision precision_;
  int shared_memory_;
  FusedLayout layout_;
  std::shared_ptr<Gpu> gpu_;
  std::shared_ptr<const GpuModule> plain_;
  mutable std::shared_ptr<const GpuModule> refined_, own_grids_;  ///< compiled when asked for
};

}  // namespace

bool has_fused_tangents(const ModelShape& shape) {
  return shape.diffusion != DiffusionKind::general &&
         shape.diffusion != DiffusionKind::constant_general;
}

KernelSource fused_tangent_source(const ModelSpec& spec, Precision precision, int shared_memory,
                                  CallKind calls) {
  const char* directions = "PackDirectionArguments<Number>";
  KernelText text({"device/directions.cuh", "fused/tangents.cuh"}, precision);
  text.model(spec, shared_memory, calls)
      .shape("FusedShape<Model, ito::cuda::AnySize<P>, ito::cuda::FusedKernel::simulate>")
      .kernel("ito_pack", "PackArguments<Number>", "pack_parameters<ito::cuda::AnySize<P>, Shape>")
      .kernel("ito_pack_directions", directions, "pack_directions<P, Shape>")
      .kernel("ito_pack_fragments", directions,
              "pack_direction_fragments<ito::cuda::AnySize<P>, Shape>")
      .kernel("ito_tangents", "TangentArguments<Number>", "tangents<P, Shape>",
              32 * tangent_layout(spec, precision, shared_memory).simulate.warps)
      .context_rows(spec);
  if (spec.bias_row() > 0)
    text.kernel("ito_bias_row_tangents", directions, "make_bias_row_tangents<P, Model>");
  return text.named("fused_tangents");
}

template <class Real>
std::unique_ptr<TangentKernels<Real>> make_fused_tangents(const FusedModel& model,
                                                          std::shared_ptr<Gpu> gpu) {
  return std::make_unique<FusedTangents<Real>>(model, std::move(gpu));
}

template std::unique_ptr<TangentKernels<float>> make_fused_tangents(const FusedModel&,
                                                                    std::shared_ptr<Gpu>);
template std::unique_ptr<TangentKernels<double>> make_fused_tangents(const FusedModel&,
                                                                     std::shared_ptr<Gpu>);

}  // namespace ito::cuda
