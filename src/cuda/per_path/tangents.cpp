#include "cuda/per_path/tangents.hpp"

#include "cuda/per_path/source.hpp"
#include "cuda/per_path/tables.hpp"
#include "kernels/per_path/layout.cuh"

namespace ito::cuda {
namespace {

template <class Real>
class PerPathTangents final : public TangentKernels<Real> {
 public:
  PerPathTangents(const ModelShape& shape, Precision precision, std::shared_ptr<Gpu> gpu)
      : gpu_(std::move(gpu)),
        layout_(thread_layout(spec_of(shape))),
        tables_(shape, GradientMethod::pathwise, layout_.net_rows, gpu_),
        module_(gpu_->compile(tangent_source(spec_of(shape), precision))),
        kernel_(module_->kernel("ito_tangents")) {}

  const GpuModule& module() const override { return *module_; }
  typename TangentKernels<Real>::Sizes sizes() const override {
    return {.numbers = layout_.number_count,
            .at_once = scheme_directions,
            .tiles = scheme_tiles,
            .scratch = static_cast<std::size_t>(tables_.arguments().rows) * scheme_threads};
  }
  void run(const TangentArguments<Real>& arguments, std::uint64_t groups, std::uint64_t blocks,
           Real* scratch) const override {
    SchemeTangentArguments<Real> call{arguments.call, tables_.arguments(), arguments.directions};
    call.scheme.scratch = scratch;
    call.scheme.groups = static_cast<int>(groups);
    launch(*gpu_, kernel_, blocks, scheme_threads, 0, call, {});
  }

 private:
  std::shared_ptr<Gpu> gpu_;
  ThreadLayout layout_;
  SchemeTables<Real> tables_;
  std::shared_ptr<const GpuModule> module_;
  GpuKernel kernel_;
};

}  // namespace

template <class Real>
std::unique_ptr<TangentKernels<Real>> make_per_path_tangents(const ModelShape& shape,
                                                             Precision precision,
                                                             std::shared_ptr<Gpu> gpu) {
  return std::make_unique<PerPathTangents<Real>>(shape, precision, std::move(gpu));
}

template std::unique_ptr<TangentKernels<float>> make_per_path_tangents(const ModelShape&, Precision,
                                                                       std::shared_ptr<Gpu>);
template std::unique_ptr<TangentKernels<double>> make_per_path_tangents(const ModelShape&,
                                                                        Precision,
                                                                        std::shared_ptr<Gpu>);

}  // namespace ito::cuda
