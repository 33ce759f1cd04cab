#pragma once

#include <mutex>
#include <string>

#include "cuda/gpu.hpp"

namespace ito {

/// NVIDIA's matrix products, a shared library that is looked for at first use: the one that
/// ITO_CUBLAS names, else as SharedLibrary says. Loading it needs neither a device nor a driver.
/// Thread-safe.
class Cublas {
 public:
  /// Throws ito::Error that says what is missing and where it was looked for.
  static const Cublas& instance();

  /// For example "13.1".
  std::string version() const;
  const std::string& path() const { return path_; }

  /// A device's own state of the library, made for the calling thread's current device. It lives as
  /// long as the process, as devices do.
  class Handle {
   public:
    Handle();
    /// Puts a product that `check` has passed on a stream. Thread-safe. Workspace and stream are
    /// set for each, so that products of two streams never share scratch memory: results repeat bit
    /// for bit and can be captured.
    void multiply(const MatrixProduct& product, GpuStream stream);

   private:
    std::mutex mutex_;
    void* handle_ = nullptr;
  };

 private:
  Cublas();

  // The functions used, by the types of cublas_v2.h, whose enumerations are ints and whose handle a
  // pointer.
  struct Functions {
    int (*cublasGetProperty)(int which, int* value);
    const char* (*cublasGetStatusString)(int status);
    int (*cublasCreate_v2)(void** handle);
    int (*cublasSetStream_v2)(void* handle, void* stream);
    int (*cublasSetWorkspace_v2)(void* handle, void* workspace, std::size_t bytes);
    int (*cublasGemmEx)(void* handle, int transpose_a, int transpose_b, int m, int n, int k,
                        const void* alpha, const void* a, int a_type, int lda, const void* b,
                        int b_type, int ldb, const void* beta, void* c, int c_type, int ldc,
                        int compute_type, int algorithm);
  };

  void check(int status, const char* call) const;

  std::string path_;
  Functions functions_{};
  int major_ = 0, minor_ = 0;
};

}  // namespace ito
