#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>

#include <ito/device.hpp>
#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

/// Law of the times between the points of a random mesh.
struct ExponentialMesh {
  double rate = 1.0;  ///< points per unit of time
};
/// Uniform on [0, length · T], T the horizon.
struct UniformMesh {
  double length = 2.0;  ///< above 1
};
using Mesh = std::variant<ExponentialMesh, UniformMesh>;

struct RandomMeshOptions {
  Mesh mesh = ExponentialMesh{};
  std::uint64_t paths = 10'000;
  std::uint64_t seed = 0;
  Execution execution{};  ///< for nets, which run on the CPU or the reference alone
};

struct RandomMeshEstimate {
  double mean = 0;
  double standard_error = 0;
  double points = 0;  ///< mean number of mesh points a path
};

/// E[g(X_T)] without any discretisation error, for dX = b dt + dW with σ = I, where b is the
/// model's drift and control together: Euler's scheme on a renewal mesh 0 = T_0 < T_1 < … < T_N <
/// T, whose weights take out what the frozen drift leaves (Tzen & Raginsky 2019, arXiv 1903.01608,
/// section 5, after Henry-Labordère, Tan & Touzi 2017):
///     [g(X_T) − g(X_{T_N}) 1{N > 0}] / F̄(T − T_N) ∏_{k=1}^{N} (b_k − b_{k−1})·ΔW_{k+1} / (ΔT_{k+1}
///     f(ΔT_k))
/// with f and F̄ the density and tail of the times between points. g takes x [d]. The model's grid
/// gives the first and last time alone. Throws ito::Error unless σ = I, the initial state is a
/// point or learned, and the control takes no context, where g is not finite, and when asked for a
/// CUDA device.
RandomMeshEstimate random_mesh_mean(const Model& model, std::span<const float> parameters,
                                    const RandomMeshOptions& options,
                                    const std::function<double(std::span<const double>)>& g);

}  // namespace ito::lab
#pragma GCC visibility pop
