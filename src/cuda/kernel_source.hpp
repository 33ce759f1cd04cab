#pragma once

#include <initializer_list>
#include <string>

#include <ito/plan.hpp>

#include "cuda/gpu.hpp"
#include "kernels/fused/layout.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The sizes, kinds and offsets of a model, and of a net.
ModelSpec spec_of(const ModelShape& shape);
NetSpec spec_of(const NetShape& shape);

/// A ModelSpec as C++ text that initialises it.
std::string initializer(const ModelSpec& spec);

/// What products of a precision ask of the packing.
PackedFormat packed_format(Precision precision);

/// What kernels on tensor cores are compiled for, and how memory is laid out for them.
struct FusedModel {
  /// Of the device: its compute capability, and what shared memory a block may ask for. `nets`:
  /// whether kernels evaluate them; otherwise that is done between launches.
  /// `unit_tiles`: that of `fused_layout`.
  FusedModel(const ModelShape& shape, Precision precision, const GpuProperties& device,
             bool nets = true, int unit_tiles = 0);

  ModelSpec spec;
  Precision precision;
  int shared_memory;
  bool wgmma;  ///< whether kernels may use what sm_90a alone has (device/wgmma.cuh)
  int unit_tiles;
  FusedLayout layout;
};

/// Which calls kernels are for; what most calls do not ask for is compiled when one does.
struct CallKind {
  bool refined = false;    ///< whose noise is defined on other steps than the grid's
  bool split = false;      ///< whose martingale's cotangent goes to states alone, not to parameters
  bool own_grids = false;  ///< with a grid for each observation
};

/// Of requests, which say nothing of `split`.
template <class Real>
CallKind call_kind(const BasicRequest<Real>& request) {
  return {.refined = request.refinement != 0, .own_grids = !request.grid.empty()};
}

/// A translation unit of kernels: one include a kernel file, one initialiser of a ModelSpec and one
/// instantiation a kernel.
class KernelText {
 public:
  explicit KernelText(std::initializer_list<const char*> kernels);
  KernelText(std::initializer_list<const char*> kernels, Precision precision);

  KernelText& model(const ModelSpec& spec, int shared_memory, CallKind calls, bool wgmma = false,
                    int unit_tiles = 0);
  /// A type with the NetSpec `spec` and the number `rows` (kernels/training/small_net.cuh).
  KernelText& net(const char* name, const NetSpec& spec, int rows);
  /// The type of the model's layout, a template of `Model`.
  KernelText& shape(const char* type);
  /// `arguments`: their type. `function`: with its template arguments. At most `threads` a block,
  /// and `blocks` that a multiprocessor's registers are to hold.
  KernelText& kernel(const std::string& name, const std::string& arguments,
                     const std::string& function, int threads = service_threads, int blocks = 1);
  /// Where the model takes a context: its bias rows; from the gradients of those to the context's;
  /// and those before as well.
  KernelText& context_rows(const ModelSpec& spec);
  KernelText& context_gradients(const ModelSpec& spec);
  KernelText& context_row_gradients(const ModelSpec& spec);
  KernelSource named(const char* name) const { return {name, text_}; }

  static constexpr int service_threads = 256;  ///< of a block of the small kernels

 private:
  std::string text_;
};

}  // namespace ito::cuda
