#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ito/gradient_method.hpp>
#include <ito/solver.hpp>

#include "study/study.hpp"

namespace ito::lab::study {

/// Latent diffusion with nets of one hidden layer for drift, diagonal σ and feedback control.
struct Workload {
  int steps = 64, state = 4, hidden = 8;
  std::uint64_t paths = 256;
  Calculus calculus = Calculus::ito;
};

struct Route {
  std::string name;
  GradientMethod method;
  Solver solver = Solver::euler_maruyama;
  bool checkpoints = false;  ///< with the least workspace that serves
};

/// All methods there are, each with Euler–Maruyama where it takes it, and the adjoint short of
/// memory.
std::vector<Route> routes();

/// Of the gradient of the mean of ½|x_T|² + E.
struct GradientCost {
  std::size_t parameters = 0;
  double seconds = 0;         ///< the forward run included
  std::size_t workspace = 0;  ///< bytes the plan asks its caller for
  double resident = 0;        ///< peak bytes of a program that takes this gradient; 0: unknown
  double off_chain = 0;       ///< relative error against the same chain's on the same paths
  double off_equation = 0;    ///< against that of `finest` steps on the same Brownian paths; 0: not
                              ///< measured
  double noise = 0;           ///< standard error of the mean over the paths, relative
};

/// The gradients that routes at one workload are held against, each taken when it is first asked
/// for.
class ExactGradients {
 public:
  /// `finest`: steps of the grid that stands for the equation, a power of two times the workload's;
  /// 0: none. Keeps a reference to the settings.
  ExactGradients(const Workload& load, int finest, const Settings& settings)
      : load_(load), settings_(settings), finest_(finest) {}

  const Workload& load() const { return load_; }
  const Settings& settings() const { return settings_; }

  /// The exact adjoint's, of a solver's chain.
  const std::vector<float>& of_chain(Solver solver);
  /// Of the equation; null where there is no grid for it.
  const std::vector<float>* of_equation();

 private:
  Workload load_;
  const Settings& settings_;
  int finest_;
  std::map<Solver, std::vector<float>> of_chains_;
  std::vector<float> of_equation_;
};

GradientCost gradient_cost(const Route& route, ExactGradients& exact);

/// Seconds of derivatives of all paths along `directions` directions at once, with Euler–Maruyama.
double tangent_seconds(const Workload& load, std::size_t directions, const Settings& settings);

/// One of the four numbers moved, the others kept.
struct Sweep {
  std::string label;
  std::vector<Workload> loads;
  std::vector<double> x{};
  std::vector<std::vector<std::optional<GradientCost>>> costs{};  ///< [route][load]

  /// The longest load that both routes reached.
  std::optional<std::size_t> last_common(std::size_t a, std::size_t b) const {
    for (std::size_t l = loads.size(); l-- > 0;)
      if (costs[a][l] && costs[b][l]) return l;
    return std::nullopt;
  }
};

/// Indices of the sweeps.
enum : std::size_t { by_steps, by_state, by_parameters, by_paths };

/// All sweeps by all routes; a route that takes too long goes no further.
std::vector<Sweep> measure_sweeps(const std::vector<Route>& by, const Settings& settings);

/// Which route to take when: the rules the numbers give, the most often wanted first. At
/// `directions` directions tangents take as long as the adjoint.
std::vector<std::string> recommendation(const std::vector<Sweep>& all, const std::vector<Route>& by,
                                        double directions);

}  // namespace ito::lab::study
