#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/latent_model.hpp>
#include <ito/parameters.hpp>

namespace ito {

/// What training minimises; each is a choice of cotangents for the same paths.
enum class Objective {
  free_energy,           ///< mean of E − log p(y|X)
  sticking_the_landing,  ///< mean of E + M − log p(y|X), the martingale's parameters detached
  importance_weighted,  ///< −log mean weight over the paths of an observation (Burda et al. 2016)
};

enum class Schedule { constant, cosine };

/// "free-energy", "sticking-the-landing" or "importance-weighted"; "constant" or "cosine".
std::string_view name(Objective objective);
std::string_view name(Schedule schedule);

/// From the name. Throw ito::Error with the names there are.
Objective parse_objective(std::string_view text);
Schedule parse_schedule(std::string_view text);

struct FitOptions {
  std::size_t epochs = 100;
  std::size_t batch = 100;   ///< observations per step
  std::size_t samples = 16;  ///< paths per observation, a multiple of 16
  Objective objective = Objective::free_energy;
  double learning_rate = 3e-3;           ///< Adam (Kingma & Ba 2015), β = (0.9, 0.999), ε = 1e-8
  Schedule schedule = Schedule::cosine;  ///< cosine: to 1 % of learning_rate at the last step
  double warmup_epochs = 1.0;            ///< linear ramp from 0
  double clip_norm = 10.0;               ///< gradient norms above are scaled down to it; 0: never
  double annealing_epochs = 0.0;  ///< the weight of E rises linearly from 0 to 1 over these epochs
  /// Decay of the exponential average of parameters, bias-corrected so that it starts as the
  /// parameters after the first step; 0: none.
  double averaging = 0.995;
  /// Fraction of non-finite paths in a step (or a held-out evaluation) above which fit stops.
  /// Below, they are counted and have no part in the step.
  double non_finite_limit = 0.01;
  /// Tensors that keep their starting values, by name or by what comes before a dot in it: "drift",
  /// "decoder.0.weight".
  std::vector<std::string> fixed{};
  Parameters start{};  ///< where to start; empty: initialize(latent, seed)
  std::uint64_t seed = 1;
  Device device = Device::best();
  int threads = 0;                    ///< 0: all; up to 1024
  std::size_t held_out_samples = 16;  ///< paths per held-out observation, once an epoch
  /// Where to keep everything needed to go on: written every `checkpoint_every` epochs, before that
  /// epoch's progress is reported, at the end, and in the middle of an epoch when `stop` asks for
  /// it.
  std::filesystem::path checkpoint{};
  std::size_t checkpoint_every = 1;
  /// Go on from `checkpoint`, to the same bits as without the break. The model, the data and the
  /// options must be those of the run that wrote it, but for threads, checkpoint_every and
  /// non_finite_limit; epochs may differ too when the schedule is constant, to train longer.
  bool resume = false;
};

/// One epoch, in nats per observation.
struct EpochRecord {
  std::size_t epoch = 0;     ///< from 1
  double elbo = 0;           ///< mean over the epoch's steps
  double held_out_elbo = 0;  ///< with the averaged parameters; NaN without held-out data
  double held_out_iwae = 0;
  double held_out_ess = 0;
  double energy = 0;           ///< mean path KL
  double gradient_norm = 0;    ///< mean over steps, before clipping
  double learning_rate = 0;    ///< at the last step
  std::size_t non_finite = 0;  ///< paths
};

struct Progress {
  EpochRecord record;
  std::size_t epochs = 0;            ///< total
  double path_steps_per_second = 0;  ///< training, forward + gradient
  double seconds = 0;                ///< since fit began
  double seconds_left = 0;           ///< estimate
};
using ProgressCallback = std::function<void(const Progress&)>;
/// A progress line per epoch on stderr, redrawn in place on a terminal.
ProgressCallback console_progress();

struct FitResult {
  Parameters parameters;  ///< the averaged parameters (the last ones when averaging = 0)
  std::vector<EpochRecord> history;
  bool interrupted = false;  ///< `stop` asked for the end; the checkpoint holds every step done
};

/// Trains from `start` or `initialize(latent, seed)` with minibatches: each epoch visits the data
/// once in an order of its own, its last minibatch being what is left. Order and path noise are
/// functions of (seed, epoch, step), so results are the same bits on one machine for any number of
/// threads and however often a run is broken off. `stop` is asked before every step and may read a
/// signal handler's flag. Throws ito::Error on bad options, data that do not fit, too many
/// non-finite paths, a non-finite loss or gradient (the last checkpoint stays), or a checkpoint
/// that is truncated or belongs to another model, data or options, naming what differs. On a CUDA
/// device a step is one CUDA graph: the host puts an epoch's steps on a stream and waits at its end
/// (or where `stop` breaks it off), and there throws what a step in it was refused for.
FitResult fit(const LatentModel& latent, const Dataset& training, const FitOptions& options = {},
              const ProgressCallback& progress = {}, const Dataset& held_out = {},
              const std::function<bool()>& stop = {});

}  // namespace ito
