#include "cuda/toolkit/cublas.hpp"

#include <fmt/format.h>

#include <ito/error.hpp>

#include "cuda/runtime.hpp"
#include "cuda/shared_library.hpp"

namespace ito::cuda {
namespace {

// The header overloads this name for old code: the function of the library is the one that takes a
// cublasComputeType_t.
using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int,
                                  int, const void*, const void*, cudaDataType, int, const void*,
                                  cudaDataType, int, const void*, void*, cudaDataType, int,
                                  cublasComputeType_t, cublasGemmAlgo_t);

struct CublasFunctions {
  SharedLibrary library{{"cuBLAS, which multiplies the matrices of wide nets", "ITO_CUBLAS",
                         toolkit_files("cublas"), "nvidia-cublas"}};
  ITO_FUNCTION(cublasGetProperty);
  ITO_FUNCTION(cublasGetStatusString);
  ITO_FUNCTION(cublasCreate_v2);
  ITO_FUNCTION(cublasSetMathMode);
  ITO_FUNCTION(cublasSetPointerMode_v2);
  ITO_FUNCTION(cublasSetStream_v2);
  ITO_FUNCTION(cublasSetWorkspace_v2);
  decltype(static_cast<GemmEx>(&::cublasGemmEx)) cublasGemmEx =
      library.find<GemmEx>("cublasGemmEx");
  CudaLibrary found{"", library.path()};

  CublasFunctions() {
    int major = 0, minor = 0;
    check(cublasGetProperty(MAJOR_VERSION, &major), "cublasGetProperty");
    check(cublasGetProperty(MINOR_VERSION, &minor), "cublasGetProperty");
    found.version = fmt::format("{}.{}", major, minor);
  }
  void check(cublasStatus_t status, const char* call) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error(
        fmt::format("{}: {} (cuBLAS {})", call, cublasGetStatusString(status), found.version));
  }
};

cudaDataType data_type(FactorType type) {
  switch (type) {
    case FactorType::fp64:
      return CUDA_R_64F;
    case FactorType::f16:
      return CUDA_R_16F;
    default:
      return CUDA_R_32F;
  }
}

cublasComputeType_t compute_type(FactorType type) {
  switch (type) {
    case FactorType::fp64:
      return CUBLAS_COMPUTE_64F;
    case FactorType::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

const CublasFunctions& functions() {
  static const CublasFunctions opened;
  return opened;
}

}  // namespace

const CudaLibrary& cublas_library() { return functions().found; }

CublasHandle::CublasHandle() {
  const CublasFunctions& call = functions();
  call.check(call.cublasCreate_v2(&handle_), "cublasCreate");
  // Parts of a sum that a product is split into are added in float, also where C is narrow.
  call.check(call.cublasSetMathMode(
                 handle_, static_cast<cublasMath_t>(
                              CUBLAS_DEFAULT_MATH |
                              static_cast<int>(CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION))),
             "cublasSetMathMode");
}

void CublasHandle::multiply(const MatrixProduct& product, GpuStream stream) {
  const CublasFunctions& call = functions();
  const bool wide = product.type == FactorType::fp64;
  const cudaDataType type = data_type(product.type);
  const cudaDataType c_type = wide ? CUDA_R_64F : product.narrow_c ? type : CUDA_R_32F;
  const auto operation = [](const MatrixProduct::Factor& factor) {
    return factor.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const float alpha = static_cast<float>(product.alpha), beta = static_cast<float>(product.beta);
  const std::lock_guard lock(mutex_);
  call.check(call.cublasSetStream_v2(handle_, static_cast<cudaStream_t>(stream)),
             "cublasSetStream");
  // After the stream, which puts the library's own workspace back.
  call.check(call.cublasSetWorkspace_v2(handle_, product.workspace, product.workspace_bytes),
             "cublasSetWorkspace");
  const bool on_device = product.scales != nullptr;
  call.check(call.cublasSetPointerMode_v2(
                 handle_, on_device ? CUBLAS_POINTER_MODE_DEVICE : CUBLAS_POINTER_MODE_HOST),
             "cublasSetPointerMode");
  const void *alpha_at = &alpha, *beta_at = &beta;
  if (on_device) {
    alpha_at = product.scales;
    beta_at = product.scales + 1;
  } else if (wide) {
    alpha_at = &product.alpha;
    beta_at = &product.beta;
  }
  // Matrices of cuBLAS are column-major: it sees ours transposed, and Cᵀ = op(B)ᵀ op(A)ᵀ.
  call.check(call.cublasGemmEx(handle_, operation(product.b), operation(product.a), product.columns,
                               product.rows, product.inner, alpha_at, product.b.data, type,
                               product.b.stride, product.a.data, type, product.a.stride, beta_at,
                               product.c, c_type, product.c_stride, compute_type(product.type),
                               CUBLAS_GEMM_DEFAULT),
             "cublasGemmEx");
}

}  // namespace ito::cuda
