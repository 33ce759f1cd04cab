#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <ito/device.hpp>
#include <ito/gradient_method.hpp>
#include <ito/grid.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// What one call runs. N = paths, d = state, m = noise, C = size of a row of context, which is the
/// model's inputs and then the control's own context, I = number of its steps: Model::input_steps,
/// or the control's context_steps where the model has no inputs.
template <class Real>
struct BasicRequest {
  std::uint64_t paths = 1;  ///< N; global indices of paths are below 2^33
  std::uint64_t seed = 0;   ///< key of the noise
  /// Global index of the first path; states do not depend on the split.
  std::uint64_t first_path = 0;
  std::span<const Real> x0{};  ///< [N, d], or [d] for all paths; empty: drawn from model.initial
  /// [R, I, C]: R observations; empty when the model has no inputs and its control takes none (R is
  /// 1 then, without grids).
  std::span<const Real> context{};
  /// Path i of the call belongs to observation i / paths_per_observation. 0: all to the one
  /// observation. On CUDA, multiples of 16 leave no lanes idle.
  std::uint64_t paths_per_observation = 0;
  /// How the grid's steps stand to those the noise is defined on. With ℓ = 0 they are the same.
  /// With ℓ < 0 a step is 2^−ℓ of them in a row and its increment their sum; with ℓ > 0 each of
  /// them is cut into 2^ℓ equal steps of the grid by Brownian bridges. So plans of N·2^ℓ steps at
  /// refinement ℓ, for every ℓ from −20 to 20, follow the same Brownian paths.
  int refinement = 0;
  /// On a stream, where in device memory the seed stands when the work runs; `seed` is not used
  /// then. A captured CUDA graph so follows new paths each time it is launched.
  const std::uint64_t* seed_on_device = nullptr;
  /// [R, K] and [R, S]: a grid for each observation in place of the model's, which says how many
  /// steps, save steps and context steps there are at most (BasicGridRows, which has made them).
  /// Both or none. On a stream they are in device memory, and what stands there is not checked.
  /// They change nothing of the noise: a path takes the same in its k-th step.
  std::span<const BasicGridStep<Real>> grid{};
  std::span<const int> save{};
};

/// Caller-owned results; an empty span is not written. S = number of save steps.
template <class Real>
struct BasicOutputs {
  std::span<Real> states{};      ///< [N, S, d]: states of the chain at the save steps
  std::span<Real> energy{};      ///< [N]: E = ½ Σ |u_k|² h_k
  std::span<Real> martingale{};  ///< [N]: M = Σ √h_k u_k·z_k
  /// [N, S]: the part of E between the previous save step and this.
  std::span<Real> interval_energy{};
  std::span<Real> interval_martingale{};  ///< [N, S]: the part of M likewise
  /// [N]: 0, or 1 where the last state, E or M is not finite.
  std::span<std::uint8_t> status{};
};

/// Derivatives of a scalar loss with respect to each output; an empty span is zero.
template <class Real>
struct BasicCotangents {
  std::span<const Real> states{};               ///< [N, S, d]
  std::span<const Real> energy{};               ///< [N]
  std::span<const Real> martingale{};           ///< [N]
  std::span<const Real> interval_energy{};      ///< [N, S]
  std::span<const Real> interval_martingale{};  ///< [N, S]
};

/// Caller-owned gradient of that loss; overwritten; an empty span is not written. A non-finite path
/// contributes nothing (its status says so).
template <class Real>
struct BasicGradientOutputs {
  std::span<Real> parameters{};  ///< [P], the model's own tensors
  std::span<Real> x0{};          ///< [N, d]
  std::span<Real> context{};     ///< [R, I, C]
};

struct AdjointOptions {
  /// Gradient only through u evaluated on the fixed path (x and z constant): log-variance losses.
  bool detach_state = false;
  /// The martingale's explicit dependence on parameters and context is dropped, its dependence
  /// through the path kept: sticking-the-landing (Roeder et al. 2017).
  bool detach_martingale_parameters = false;
};

/// How an engine computes.
enum class Precision {
  fp32,  ///< faithful: states within 1e-5 and gradients within 1e-4 of exact arithmetic, norm-wise
  /// CUDA: 16-bit factors, float sums, hardware functions; states within 3e-3 and gradients of
  /// smooth nets too. A relu of a few paths comes out on the other side of its corner.
  fast,
  fp64,  ///< double throughout, to check the others: DoublePlan
};

/// How the CUDA engine runs a time loop.
enum class CudaKernels {
  /// For Euler–Maruyama of an Itô model of up to 256 channels without inputs and its adjoint, fused
  /// for nets of up to 4 hidden layers of up to 512 units (fp64: 128) that fit, else layered; for
  /// all others per_path.
  automatic,
  fused,  ///< one kernel for the loop and one for its reverse, nets on chip
  /// A step at a time, nets layer by layer as matrix products of cuBLAS over blocks of paths; with
  /// `fast`, of factors rounded to tf32. States and noises of up to 256 channels.
  layered,
  per_path,  ///< one kernel for the loop and one for its reverse, a path a thread: of any solver
};

/// "fp32", "fast" or "fp64"; "auto", "fused", "layered" or "per-path".
std::string_view name(Precision precision);
std::string_view name(CudaKernels kernels);

/// From the name. Throw ito::Error with the names there are.
Precision parse_precision(std::string_view text);
CudaKernels parse_cuda_kernels(std::string_view text);

/// A CUDA stream of the caller's, `cudaStream_t` as a plain handle; null is the default stream.
struct Stream {
  void* handle = nullptr;
};

/// K directions to differentiate along; an empty span is zero.
template <class Real>
struct BasicDirections {
  std::size_t count = 0;               ///< K
  std::span<const Real> parameters{};  ///< [K, P]
  std::span<const Real> x0{};          ///< [K, N, d], or [K, d]: the same for all paths
  std::span<const Real> context{};     ///< [K, R, I, C]
};

/// What calls hold that return vectors of their own.
struct SimulateOptions {
  /// Also the parts of E and M between save steps, [N, S] each: for a state of one channel as many
  /// numbers each as the states.
  bool intervals = false;
};

/// Derivatives of the outputs along each direction.
template <class Real>
struct BasicTangents {
  std::vector<Real> states;               ///< [K, N, S, d]
  std::vector<Real> energy;               ///< [K, N]
  std::vector<Real> martingale;           ///< [K, N]
  std::vector<Real> interval_energy;      ///< [K, N, S]; empty unless SimulateOptions::intervals
  std::vector<Real> interval_martingale;  ///< likewise
};

struct PlanOptions {
  static constexpr std::size_t usual_workspace_limit = std::size_t{256} << 20;

  /// Bytes that a gradient may use to store states. Below what every step needs it stores
  /// checkpoints and recomputes; a run without one stores none. Where it is not given it is
  /// `usual_workspace_limit`, and on CUDA a 16th of the device's memory where that is more.
  std::optional<std::size_t> workspace_limit{};
  /// Of a Plan: fp32, or on CUDA fast. A DoublePlan computes in fp64: it takes that or the default.
  Precision precision = Precision::fp32;
  /// What `adjoint` runs. Refused where the model's solver does not go with it.
  GradientMethod gradient = GradientMethod::adjoint;
  CudaKernels cuda_kernels = CudaKernels::automatic;
};

/// Results of a run in vectors of its own.
template <class Real>
class BasicPaths {
 public:
  const std::vector<Real>& states() const { return states_; }          ///< [N, S, d]
  const std::vector<Real>& energy() const { return energy_; }          ///< [N]
  const std::vector<Real>& martingale() const { return martingale_; }  ///< [N]
  /// [N, S]. Throw ito::Error unless the run was asked for SimulateOptions::intervals.
  const std::vector<Real>& interval_energy() const;
  const std::vector<Real>& interval_martingale() const;
  const std::vector<std::uint8_t>& status() const { return status_; }  ///< [N]
  std::uint64_t size() const { return status_.size(); }                ///< N
  std::uint64_t non_finite() const;                                    ///< paths with status ≠ 0

 private:
  template <class>
  friend class BasicPlan;
  std::vector<Real> states_, energy_, martingale_, interval_energy_, interval_martingale_;
  std::vector<std::uint8_t> status_;
  SimulateOptions options_;
};

/// What `record` leaves for `adjoint`: the request, and the states of the paths in a workspace. One
/// of `record(parameters, request)` owns both and the paths; the others view the caller's memory,
/// which stays as it is until the last adjoint. An adjoint leaves a recording as it was.
///
/// It belongs to the plan that made it, wherever the plan moves, to the stream it was put on and to
/// the parameters it was made with: `adjoint` throws ito::Error on others.
template <class Real>
class BasicRecording {
 public:
  /// An empty one, as one that was moved from: `adjoint` throws ito::Error on it.
  BasicRecording() = default;
  BasicRecording(BasicRecording&& other) noexcept : parts_(std::exchange(other.parts_, {})) {}
  BasicRecording& operator=(BasicRecording&& other) noexcept {
    parts_ = std::exchange(other.parts_, {});
    return *this;
  }

  /// Throws ito::Error unless it was made by `record(parameters, request)`: the results of other
  /// forms are in the outputs they were given.
  const BasicPaths<Real>& paths() const;

 private:
  template <class>
  friend class BasicPlan;
  struct Parts {
    std::uint64_t id = 0, plan = 0;  ///< 0: empty
    BasicRequest<Real> request;
    std::span<std::byte> workspace;
    std::optional<Stream> stream;
    const Real* parameters = nullptr;  ///< on a stream
    // Without one.
    std::size_t parameters_hash = 0, x0_hash = 0, context_hash = 0, grids_hash = 0;
    // Of `record(parameters, request)`.
    BasicPaths<Real> paths;
    std::vector<Real> x0, context;
    BasicGridRows<Real> grids;
    std::unique_ptr<std::byte[]> memory;
  };
  Parts parts_;
};

template <class Real>
struct BasicGradient {
  std::vector<Real> parameters;  ///< [P]
  std::vector<Real> x0;          ///< [N, d]
  std::vector<Real> context;     ///< [R, I, C]
};

/// A model compiled for a device: describe once, run many times. It holds the scratch memory of its
/// threads, so one Plan serves one caller at a time, and the calls that run paths are not const;
/// different Plans are independent. Every call throws ito::Error on spans of the wrong size.
///
/// Paths are bit-identical for every split into calls and every number of threads; gradients too
/// for any number of threads, and to rounding for a split.
///
/// A gradient is `record`, then `adjoint` of the recording, once or for several losses. `simulate`
/// runs the same paths to the same results and keeps nothing of them.
template <class Real>
class BasicPlan {
 public:
  /// Validates `model`. Allocates everything a call needs except its workspace. On CUDA the kernels
  /// of the forward run are compiled here, unless they are on disk from an earlier run, and those
  /// of a gradient at the first call that needs them. Throws ito::Error on a device that is not
  /// there or that the model or a DoublePlan cannot run on, on options that do not go together, and
  /// where NVRTC or cuBLAS is needed and missing.
  explicit BasicPlan(const Model& model, Execution execution = {}, PlanOptions options = {});
  ~BasicPlan();
  BasicPlan(BasicPlan&&) noexcept;
  BasicPlan& operator=(BasicPlan&&) noexcept;

  const Model& model() const { return model_; }
  Device device() const { return device_; }
  std::size_t parameter_count() const;  ///< P
  /// On CUDA, fused, layered or per_path: what the plan has chosen or was told. Automatic
  /// elsewhere.
  CudaKernels cuda_kernels() const;

  // Vectors in, vectors out. `parameters` is [≥ P]; the model's own come first. What does not fit
  // the machine's memory is refused before it is allocated.
  BasicPaths<Real> simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                            SimulateOptions options = {});
  BasicRecording<Real> record(std::span<const Real> parameters, const BasicRequest<Real>& request,
                              SimulateOptions options = {});
  /// At the parameters of the recording, of any form that is not on a stream. Throws ito::Error on
  /// a recording that does not belong here (BasicRecording), where the parameters, x0 or context
  /// have changed since, and where a later call has written to its workspace. On CUDA what was
  /// recorded is in the plan's own memory until its next call that is not on a stream.
  BasicGradient<Real> adjoint(std::span<const Real> parameters,
                              const BasicRecording<Real>& recording,
                              const BasicCotangents<Real>& cotangents, AdjointOptions options = {});

  /// Jacobian–vector products: the sensitivity equations of the paths (Tzen & Raginsky 2019,
  /// section 4) along K directions, integrated with the paths by the same solver. They are the
  /// derivatives of the discrete chain, as `adjoint` is its transpose. On CUDA they take kernels
  /// of their own, which are compiled at the first call; directions and tangents are there for a
  /// part of the K at a time, of up to PlanOptions::workspace_limit bytes, or for one.
  BasicTangents<Real> tangents(std::span<const Real> parameters, const BasicRequest<Real>& request,
                               const BasicDirections<Real>& directions,
                               SimulateOptions options = {});
  /// A block of the full Jacobian: the tangents of parameters first … first + count − 1.
  BasicTangents<Real> jacobian(std::span<const Real> parameters, const BasicRequest<Real>& request,
                               std::size_t first, std::size_t count, SimulateOptions options = {});

  // Caller-owned memory; these allocate nothing. On CUDA that is said of the calls on a stream,
  // below: calls on memory of the host pass through memory of the device, which the plan allocates
  // at the first call of a size, and their workspace may be empty.
  /// Bytes of workspace for any call of up to `paths` paths and `observations` rows of context: the
  /// more it is, the more states a recording keeps. (On CUDA, with several rows and a
  /// paths_per_observation that is no multiple of 16: for calls whose rows share `paths` evenly and
  /// whose first_path is a multiple of that share; others say what they take.) Throws when even
  /// checkpointing does not fit PlanOptions::workspace_limit, naming the least that does.
  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t observations = 1) const;
  /// Those of `simulate` alone: fewer, and within any limit, since such a run stores no states.
  std::size_t simulate_workspace_bytes(std::uint64_t paths, std::uint64_t observations = 1) const;
  void simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte> workspace);
  /// The recording views x0, context, grids and workspace.
  BasicRecording<Real> record(std::span<const Real> parameters, const BasicRequest<Real>& request,
                              const BasicOutputs<Real>& outputs, std::span<std::byte> workspace);
  /// As the adjoint above.
  void adjoint(std::span<const Real> parameters, const BasicRecording<Real>& recording,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               AdjointOptions options = {});
  /// The recording that the `record` above has left in a workspace, made anew: for callers that
  /// keep memory from one call to the next and no object, as the graphs of PyTorch and JAX do. Any
  /// plan of the same model, options and number of threads may have made it, and the bytes may
  /// stand elsewhere by now, as long as both places are aligned to 64 bytes. That the numbers of
  /// parameters, x0, context and grids are still those of the recording is the caller's to see.
  /// Throws ito::Error where the workspace holds no recording of such a request. On CUDA it is the
  /// plan's own last one.
  BasicRecording<Real> recording_in(std::span<const Real> parameters,
                                    const BasicRequest<Real>& request,
                                    std::span<std::byte> workspace);

  // The same on CUDA with every span in device memory: work is put on the stream and the call
  // returns. Nothing is allocated but for kernels the first time they are needed (an adjoint's
  // depend on refinement and detach_martingale_parameters, so run one before a capture), nothing
  // else waits, and all can be captured in a CUDA graph. The workspace is aligned to 256 bytes.
  // Throws ito::Error on a device without streams.
  void simulate(Stream stream, std::span<const Real> parameters, const BasicRequest<Real>& request,
                const BasicOutputs<Real>& outputs, std::span<std::byte> workspace);
  BasicRecording<Real> record(Stream stream, std::span<const Real> parameters,
                              const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                              std::span<std::byte> workspace);
  /// Throws ito::Error on a recording that does not belong here, on parameters at another address,
  /// and where the plan's last run on a stream has written to its workspace. What the addresses
  /// hold is the caller's to keep.
  void adjoint(Stream stream, std::span<const Real> parameters,
               const BasicRecording<Real>& recording, const BasicCotangents<Real>& cotangents,
               const BasicGradientOutputs<Real>& gradient, AdjointOptions options = {});
  /// As the one above, of a workspace in device memory, which nothing looks at: that a recording of
  /// this request stands in it is the caller's to see as well.
  BasicRecording<Real> recording_in(Stream stream, std::span<const Real> parameters,
                                    const BasicRequest<Real>& request,
                                    std::span<std::byte> workspace);

 private:
  struct Compiled;

  Model model_;
  Device device_;
  std::unique_ptr<Compiled> compiled_;
};

using Plan = BasicPlan<float>;
using Request = BasicRequest<float>;
using Outputs = BasicOutputs<float>;
using Cotangents = BasicCotangents<float>;
using GradientOutputs = BasicGradientOutputs<float>;
using Paths = BasicPaths<float>;
using Recording = BasicRecording<float>;
using Gradient = BasicGradient<float>;
using Directions = BasicDirections<float>;
using Tangents = BasicTangents<float>;

/// Double precision in and out; runs on the reference engine and, as fp64, on CUDA.
using DoublePlan = BasicPlan<double>;
using DoubleRequest = BasicRequest<double>;
using DoubleOutputs = BasicOutputs<double>;
using DoubleCotangents = BasicCotangents<double>;
using DoubleGradientOutputs = BasicGradientOutputs<double>;
using DoublePaths = BasicPaths<double>;
using DoubleRecording = BasicRecording<double>;
using DoubleGradient = BasicGradient<double>;
using DoubleDirections = BasicDirections<double>;
using DoubleTangents = BasicTangents<double>;

extern template class BasicPaths<float>;
extern template class BasicPaths<double>;
extern template class BasicRecording<float>;
extern template class BasicRecording<double>;
extern template class BasicPlan<float>;
extern template class BasicPlan<double>;

}  // namespace ito
#pragma GCC visibility pop
