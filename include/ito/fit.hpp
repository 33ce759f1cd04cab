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

#pragma GCC visibility push(default)
namespace ito {

/// What training minimises; each single one is a choice of cotangents for the same paths.
enum class Objective {
  free_energy,           ///< mean of E − log p(y|X)
  sticking_the_landing,  ///< mean of E + M − log p(y|X), the martingale's parameters detached
  importance_weighted,  ///< −log mean weight over the paths of an observation (Burda et al. 2016)
  /// The encoder and the control are moved by `sticking_the_landing`, all the rest, the model, by
  /// `importance_weighted`, each in every step (Rainforth et al. 2018, "Tighter variational bounds
  /// are not necessarily better", PIWAE, section 6, with the estimator of Roeder et al. 2017).
  /// The model is fitted to log p(y) as far as the paths reach and the control still to the mean,
  /// so that σ collapses less. Two reverse sweeps a step. The bound that it trains is the
  /// importance-weighted one.
  partially_importance_weighted,
};

/// Of the learning rate, after the warm-up.
enum class Schedule {
  constant,
  cosine,       ///< half a period, to 1 % of learning_rate at the last step
  exponential,  ///< times `decay` over each epoch, a little at each step
};

/// "free-energy", "sticking-the-landing", "importance-weighted" or
/// "partially-importance-weighted"; "constant", "cosine"
/// or "exponential".
std::string_view name(Objective objective);
std::string_view name(Schedule schedule);

/// From the name. Throw ito::Error with the names there are.
Objective parse_objective(std::string_view text);
Schedule parse_schedule(std::string_view text);

/// Counts are up to 2^31 − 1; batch · samples, the paths of a step, up to 2^33.
struct FitOptions {
  std::size_t epochs = 100;
  std::size_t batch = 100;   ///< observations per step
  std::size_t samples = 16;  ///< paths per observation; on CUDA best a multiple of 16
  Objective objective = Objective::free_energy;
  double learning_rate = 3e-3;  ///< Adam (Kingma & Ba 2015), β = (0.9, 0.999), ε = 1e-8
  Schedule schedule = Schedule::cosine;
  /// Of the exponential schedule, above 0 and up to 1: the rate at step n, from 0, is
  /// learning_rate · decay^(n / steps of an epoch).
  double decay = 0.99;
  double warmup_epochs = 1.0;  ///< linear ramp from 0
  double clip_norm = 10.0;     ///< gradient norms above are scaled down to it; 0: never
  /// Weight of E in what is minimised, and of M where it is in it: β of Higgins et al. 2017
  /// ("beta-VAE"); 0: none. All recorded bounds are those of weight 1.
  double energy_weight = 1.0;
  double annealing_epochs = 0.0;  ///< that weight rises linearly from 0 over these epochs
  /// How often it does. After each rise it stays for as many epochs, before the next from 0; after
  /// the last to the end. With epochs / (2 · cycles) annealing epochs it is the cyclical schedule
  /// of Fu et al. 2019 (equation 6 with R = ½).
  std::size_t annealing_cycles = 1;
  /// Decay of the exponential average of parameters; 0: none. It is the longest window the average
  /// comes to: early on, and to the end of a short run, the window is a twentieth of the steps so
  /// far instead (the power-function average of Karras et al. 2024), which has forgotten the start.
  double averaging = 0.995;
  /// Fraction of non-finite paths in a step (or a held-out evaluation) above which fit stops, and
  /// so it does, below 1, where an observation of the first epoch has no finite path at all: it is
  /// named. Else they are counted and have no part in the step.
  double non_finite_limit = 0.01;
  /// Tensors that keep their starting values, by name or by what comes before a dot in it: "drift",
  /// "decoder.0.weight".
  std::vector<std::string> fixed{};
  /// Where to start; empty: initialize(latent, seed). A resumed run goes on from its checkpoint
  /// instead, which must have been begun there unless this is empty.
  Parameters start{};
  std::uint64_t seed = 1;
  Execution execution{};
  std::size_t held_out_samples = 16;  ///< paths per held-out observation, once an epoch
  /// Above 0: the end comes after so many epochs in a row without a better bound on the held-out
  /// data, the one that `objective` trains; and the parameters of the best epoch are kept.
  std::size_t patience = 0;
  /// Where to keep everything needed to go on: written every `checkpoint_every` epochs, before that
  /// epoch's progress is reported, at the end, and in the middle of an epoch when `stop` asks for
  /// it.
  std::filesystem::path checkpoint{};
  std::size_t checkpoint_every = 1;
  /// Go on from `checkpoint`, to the same bits as without the break. The model, the data and the
  /// options must be those of the run that wrote it, but for threads, checkpoint_every and
  /// non_finite_limit; epochs may differ too unless the schedule is a cosine, to train longer, and
  /// a patience above 0 may be another: a run that has ended by it goes on where it is larger.
  bool resume = false;
  /// With `resume`: `epochs` may be more than the run was planned for under any schedule. A cosine
  /// is planned anew from the step the checkpoint has come to: the learning rate rises linearly,
  /// over warmup_epochs, from where it stands to learning_rate times a cosine that falls from 1
  /// there to 1 % at the last step. The checkpoint keeps the plan, so a further resume goes on to
  /// the same bits.
  bool train_longer = false;
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
  std::size_t plan = 1;        ///< of the learning rate; one more each time it was planned anew
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

/// Which of a fit's parameters: their average at the end, the last, or the average at the end of
/// the best epoch.
enum class Fitted { average, last, best };
/// "average", "last" or "best".
std::string_view name(Fitted fitted);

struct FitResult {
  /// Those of `chosen`: with patience the best epoch's. Else, of the average and the last,
  /// whichever has the better bound on the held-out data, the one that `objective` trains; without
  /// held-out data or where interrupted the average.
  Parameters parameters;
  Parameters average, last;
  Parameters best;                  ///< empty without patience or before the first epoch's end
  std::size_t best_epoch = 0;       ///< whose average `best` is, from 1; 0 where that is empty
  Fitted chosen = Fitted::average;  ///< without patience, last when averaging = 0
  std::vector<EpochRecord> history;
  bool stopped_early = false;  ///< patience ran out before the last epoch
  bool interrupted = false;    ///< `stop` asked for the end; the checkpoint holds every step done
};

/// Trains from `start` or `initialize(latent, seed)` with minibatches: each epoch visits the data
/// once in an order of its own, its last minibatch being what is left. Order and path noise are
/// functions of (seed, epoch, step), so results are the same bits on one machine for any number of
/// threads and however often a run is broken off. `stop` is asked before every step and may read a
/// signal handler's flag. Throws ito::Error on bad options, data that do not fit, too many
/// non-finite paths, a non-finite loss or gradient (the last checkpoint stays), naming the rows of
/// the data that are to blame where it is few of them, or a checkpoint that is truncated, of an
/// earlier version or belongs to another model, data or options, naming what differs. On a CUDA
/// device a step is one CUDA graph: the host puts an epoch's steps on a stream and waits at its end
/// (or where `stop` breaks it off), and there throws what a step in it was refused for.
FitResult fit(const LatentModel& latent, const FitOptions& options, const Dataset& training,
              const Dataset& held_out = {}, const ProgressCallback& progress = {},
              const std::function<bool()>& stop = {});

}  // namespace ito
#pragma GCC visibility pop
