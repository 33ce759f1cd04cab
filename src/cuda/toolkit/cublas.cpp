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

const CublasFunctions& functions() {
  static const CublasFunctions opened;
  return opened;
}

}  // namespace

const CudaLibrary& cublas_library() { return functions().found; }

CublasHandle::CublasHandle() {
  functions().check(functions().cublasCreate_v2(&handle_), "cublasCreate");
}

void CublasHandle::multiply(const MatrixProduct& product, GpuStream stream) {
  const CublasFunctions& call = functions();
  const bool wide = product.precision == Precision::fp64;
  const cudaDataType type = wide ? CUDA_R_64F : CUDA_R_32F;
  const cublasComputeType_t compute = wide ? CUBLAS_COMPUTE_64F
                                      : product.precision == Precision::fast
                                          ? CUBLAS_COMPUTE_32F_FAST_TF32
                                          : CUBLAS_COMPUTE_32F;
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
  // Matrices of cuBLAS are column-major: it sees ours transposed, and Cᵀ = op(B)ᵀ op(A)ᵀ.
  call.check(call.cublasGemmEx(
                 handle_, operation(product.b), operation(product.a), product.columns, product.rows,
                 product.inner, wide ? static_cast<const void*>(&product.alpha) : &alpha,
                 product.b.data, type, product.b.stride, product.a.data, type, product.a.stride,
                 wide ? static_cast<const void*>(&product.beta) : &beta, product.c, type,
                 product.c_stride, compute, CUBLAS_GEMM_DEFAULT),
             "cublasGemmEx");
}

}  // namespace ito::cuda
