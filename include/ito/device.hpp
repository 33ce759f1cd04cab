#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

struct Execution;

/// Where a Plan runs. `cpu` is the float32 SIMD engine; `cuda` the engine of an NVIDIA GPU, float32
/// and for a DoublePlan float64; `reference` the plain double-precision one that defines the
/// answers.
class Device {
 public:
  enum class Kind { cpu, cuda, reference };

  static Device cpu() { return Device(Kind::cpu); }
  /// The machine's CUDA device of that number. Whether there is one shows when a Plan is made.
  /// Throws ito::Error when `ordinal` is negative.
  static Device cuda(int ordinal = 0);
  static Device reference() { return Device(Kind::reference); }
  /// The fastest engine this build and machine have. For a DoublePlan, which the CPU engine cannot
  /// compute, that is CUDA or the reference: Plan::device says which. What runs on the CPU alone
  /// takes it for the CPU.
  static Device best();
  /// "auto", "cpu", "cuda", "cuda:1" or "reference". Throws ito::Error.
  static Device parse(std::string_view text);

  Kind kind() const { return kind_; }
  /// Which of the devices of its kind: 0 but for CUDA.
  int ordinal() const { return ordinal_; }
  /// Whether it is `best()`'s choice, not the caller's.
  bool automatic() const { return automatic_; }
  /// What `parse` reads.
  std::string name() const;
  bool operator==(const Device& other) const {
    return kind_ == other.kind_ && ordinal_ == other.ordinal_;
  }
  /// There, with as many threads as OpenMP would use.
  operator Execution() const;

 private:
  explicit Device(Kind kind, int ordinal = 0) : kind_(kind), ordinal_(ordinal) {}
  Kind kind_;
  int ordinal_;
  bool automatic_ = false;
};

/// Where work runs. A Device converts to it, so either is taken wherever an Execution is. What
/// takes one throws ito::Error naming `device` where the device is not there or does not do the
/// work, and `threads` where their number is out of range. Results are the same bits for any
/// `threads`.
struct Execution {
  Device device = Device::best();
  /// Of the host, on a CUDA device too for what stays there. 0: what OpenMP would use
  /// (OMP_NUM_THREADS, or else one a core); up to 1024.
  int threads = 0;
};
inline Device::operator Execution() const { return {.device = *this}; }

/// The vector instruction set the CPU engine picked on this machine: "avx512", "avx2" or "sse2".
/// The environment variable ITO_CPU_ISA asks for a lesser one; empty is as not set.
std::string cpu_instruction_set();

/// What this build and machine have for CUDA. Versions are like "13.0", empty where there is none.
struct CudaReport {
  struct Gpu {
    std::string name;
    int compute_capability = 0;  ///< 90 for sm_90
    int multiprocessors = 0;
    std::uint64_t memory = 0;  ///< bytes
    std::string refusal;       ///< why it cannot be used; empty when it can
  };
  std::vector<Gpu> gpus;        ///< in the order of their numbers
  std::string absence;          ///< why there is none, in half a sentence
  std::string driver, runtime;  ///< versions of CUDA
  /// NVRTC, the compiler of kernels: its version and file, or why it cannot be loaded.
  std::string compiler, compiler_file, compiler_absence;
  /// cuBLAS, which multiplies the matrices of nets too wide for fused kernels: likewise.
  std::string products, products_file, products_absence;
  /// The folder that keeps compiled kernels (it may be deleted at any time), empty when none does.
  std::string cache;
  std::uint64_t cache_bytes = 0;
  std::string cache_refusal;  ///< why no kernels can be kept there; empty when they can
};
CudaReport cuda_report();

}  // namespace ito
#pragma GCC visibility pop
