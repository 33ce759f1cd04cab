#include "cuda/layered/layer_work.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cuda/kernel_source.hpp"

namespace ito::cuda {

LayerFormat::LayerFormat(Precision precision)
    : row{2, 2}, factors(FactorType::f16), own(factor_type(precision)), kept_bytes(4) {
  if (precision == Precision::fast) {
    row.parts = 1;
    kept_bytes = 2;
  } else if (precision == Precision::fp64) {
    row = {1, 8};
    factors = FactorType::fp64;
    kept_bytes = 8;
  }
}

KernelSource layer_source(Precision precision, std::span<const Activation> activations) {
  KernelText text({"layered/layer.cuh"}, precision);
  // More than a launch has: what keeps their registers few enough for several blocks side by side.
  const int threads = precision == Precision::fp64 ? 256 : precision == Precision::fp32 ? 512 : 768;
  for (int i = 0; i < activation_count; ++i) {
    if (std::ranges::find(activations, static_cast<Activation>(i)) == activations.end()) continue;
    const auto of = [i](const char* function) {
      return fmt::format("{}<P, ito::Activation({})>", function, i);
    };
    text.kernel(fmt::format("ito_activate_{}", i), "LayerArguments<Number>", of("activate_layer"),
                threads);
    text.kernel(fmt::format("ito_pull_back_{}", i), "PullBackArguments<Number>",
                of("pull_back_layer"), threads);
  }
  return text.kernel("ito_pack_layer", "PackLayerArguments<Number>", "pack_layer<P>")
      .kernel("ito_weight_norm", "WeightNormArguments<Number>", "weight_norm<P>")
      .kernel("ito_sum_tiles", "LayerBackwardArguments<Number>",
              "layer_backward<P, ito::Activation::identity>")
      .kernel("ito_add_sums", "AddSumsArguments<Number>", "add_sums<P>")
      .named("layers");
}

LayerKernels::LayerKernels(Gpu& gpu, Precision precision, std::span<const Activation> activations)
    : module(gpu.compile(layer_source(precision, activations))),
      pack(module->kernel("ito_pack_layer")),
      norm(module->kernel("ito_weight_norm")),
      sum_tiles(module->kernel("ito_sum_tiles")),
      add_sums(module->kernel("ito_add_sums")) {
  for (const Activation activation : activations) {
    const auto i = static_cast<std::size_t>(activation);
    forward[i] = module->kernel(fmt::format("ito_activate_{}", i));
    backward[i] = module->kernel(fmt::format("ito_pull_back_{}", i));
  }
}

template <class Real>
void StepWork<Real>::multiply(Stream stream, FactorType type, int c_rows, int columns, int inner,
                              Factor a, Factor b, double beta, void* c, int c_stride,
                              bool narrow_c) const {
  gpu.multiply({type, c_rows, columns, inner, 1.0, beta, a, b, c, c_stride, products, product_bytes,
                nullptr, narrow_c},
               stream.handle);
}

template <class Real>
void StepWork<Real>::multiply_rows(Stream stream, int c_rows, int columns, int count,
                                   const std::byte* a, int a_stride, const std::byte* b,
                                   int b_stride, const FactorScale* scale, Real* c,
                                   int c_stride) const {
  const FactorRow& row = format.row;
  const auto factor = [&](const std::byte* array, int segment, int stride, bool transposed) {
    return Factor{array + static_cast<std::ptrdiff_t>(segment) * stride * row.bytes,
                  row.segments() * stride, transposed};
  };
  const auto add = [&](int a_segment, int b_segment) {
    MatrixProduct sums{format.factors,
                       c_rows,
                       columns,
                       count,
                       1.0,
                       1.0,
                       factor(a, a_segment, a_stride, true),
                       factor(b, b_segment, b_stride, false),
                       c,
                       c_stride,
                       products,
                       product_bytes};
    if (scale != nullptr) sums.scales = &scale->inverse;
    gpu.multiply(sums, stream.handle);
  };
  if (row.parts == 1) return add(0, 0);
  add(0, 1);
  add(1, 0);
  add(1, 1);
}

template struct StepWork<float>;
template struct StepWork<double>;

}  // namespace ito::cuda
