#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <ito/fit.hpp>
#include <ito/latent_model.hpp>
#include <ito/parameters.hpp>

namespace ito::cli {

/// The folder `ito fit` writes and `ito evaluate` and `ito sample` read.
///
/// A first fit works in the folder itself. One that is to overwrite an earlier fit works in the
/// subfolder `replacement` and moves its files up when all of them are ready, so the earlier fit
/// stays whole until then.
class FitFolder {
 public:
  explicit FitFolder(std::filesystem::path root) : root_(std::move(root)), work_(root_) {}

  enum class Start { fresh, resume, overwrite };
  /// Chooses where to work and clears what an abandoned replacement left. Throws ito::Error when a
  /// fresh start finds a fit.
  void open(Start start);
  /// Moves a replacement's files into place. Nothing to do for a first fit.
  void publish() const;
  /// Of a fit that failed: takes away what it wrote, unless there was some before or there is a
  /// checkpoint now to go on from.
  void abandon() const;

  std::filesystem::path model() const { return work_ / "model.json"; }
  /// The ones to use: a copy of one of the next two.
  std::filesystem::path parameters() const { return work_ / "parameters.safetensors"; }
  std::filesystem::path fitted(Fitted fitted) const {
    return work_ / (std::string(name(fitted)) + ".safetensors");
  }
  std::filesystem::path history() const { return work_ / "history.csv"; }
  std::filesystem::path summary() const { return work_ / "summary.json"; }
  std::filesystem::path report() const { return work_ / "report.html"; }
  std::filesystem::path checkpoint() const { return work_ / "checkpoint.safetensors"; }
  /// Of the second fit that --compare makes.
  std::filesystem::path baseline_checkpoint() const { return work_ / "baseline.safetensors"; }

 private:
  std::filesystem::path replacement() const { return root_ / "replacement"; }
  std::filesystem::path root_, work_;
  bool began_empty_ = false;
};

/// In place of a file of parameters: those in `FitFolder::parameters`.
inline constexpr const char* default_parameters = "default";

/// The model in the folder of a finished fit.
struct FittedModel {
  LatentModel latent;
  Parameters parameters;
};
/// `parameters` is a file, `default_parameters` or the name of a Fitted. Throws ito::Error naming
/// what is missing.
FittedModel read_fit(const std::filesystem::path& folder, const std::string& parameters);

/// What --start says, a file or the folder of a finished fit. Throws ito::Error where it is neither
/// or does not fit the model.
Parameters read_start(const std::string& start, const LatentModel& latent);

/// The option --params of the commands that read a fit.
CLI::Option* add_fit_parameters(CLI::App& command, std::string& parameters);

}  // namespace ito::cli
