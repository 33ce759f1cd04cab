#include "cuda/cublas.hpp"

#include <fmt/format.h>

#include <ito/error.hpp>

#include "cuda/shared_library.hpp"

namespace ito {
namespace {

// Of library_types.h and cublas_api.h.
constexpr int major_version = 0, minor_version = 1;
constexpr int as_is = 0, transposed = 1;
constexpr int real_float = 0, real_double = 1;
constexpr int compute_float = 68, compute_tf32 = 77, compute_double = 70;
constexpr int default_algorithm = -1;

}  // namespace

const Cublas& Cublas::instance() {
  static const Cublas cublas;
  return cublas;
}

Cublas::Cublas() {
  SharedLibrary library({"cuBLAS, which multiplies the matrices of wide nets", "ITO_CUBLAS",
                         toolkit_files("cublas"), "nvidia-cublas"});
  const auto get = [&](const char* name, auto& function) { library.find(name, function); };
  get("cublasGetProperty", functions_.cublasGetProperty);
  get("cublasGetStatusString", functions_.cublasGetStatusString);
  get("cublasCreate_v2", functions_.cublasCreate_v2);
  get("cublasSetStream_v2", functions_.cublasSetStream_v2);
  get("cublasSetWorkspace_v2", functions_.cublasSetWorkspace_v2);
  get("cublasGemmEx", functions_.cublasGemmEx);
  path_ = library.path();
  check(functions_.cublasGetProperty(major_version, &major_), "cublasGetProperty");
  check(functions_.cublasGetProperty(minor_version, &minor_), "cublasGetProperty");
}

void Cublas::check(int status, const char* call) const {
  if (status != 0) {
    throw Error(fmt::format("{}: {} (cuBLAS {})", call, functions_.cublasGetStatusString(status),
                            version()));
  }
}

std::string Cublas::version() const { return fmt::format("{}.{}", major_, minor_); }

Cublas::Handle::Handle() {
  const Cublas& library = instance();
  library.check(library.functions_.cublasCreate_v2(&handle_), "cublasCreate");
}

void Cublas::Handle::multiply(const MatrixProduct& product, GpuStream stream) {
  const Cublas& library = instance();
  const Functions& call = library.functions_;
  const bool wide = product.precision == Precision::fp64;
  const int type = wide ? real_double : real_float;
  const int compute = wide                                   ? compute_double
                      : product.precision == Precision::fast ? compute_tf32
                                                             : compute_float;
  const float alpha = static_cast<float>(product.alpha), beta = static_cast<float>(product.beta);
  const std::lock_guard lock(mutex_);
  library.check(call.cublasSetStream_v2(handle_, stream), "cublasSetStream");
  // After the stream, which puts the library's own workspace back.
  library.check(call.cublasSetWorkspace_v2(handle_, product.workspace, product.workspace_bytes),
                "cublasSetWorkspace");
  // Matrices of cuBLAS are column-major: it sees ours transposed, and Cᵀ = op(B)ᵀ op(A)ᵀ.
  library.check(
      call.cublasGemmEx(handle_, product.b.transposed ? transposed : as_is,
                        product.a.transposed ? transposed : as_is, product.columns, product.rows,
                        product.inner, wide ? static_cast<const void*>(&product.alpha) : &alpha,
                        product.b.data, type, product.b.stride, product.a.data, type,
                        product.a.stride, wide ? static_cast<const void*>(&product.beta) : &beta,
                        product.c, type, product.c_stride, compute, default_algorithm),
      "cublasGemmEx");
}

}  // namespace ito
