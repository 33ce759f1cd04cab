#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <ito/error.hpp>
#include <ito/fit.hpp>
#include <ito/latent_model.hpp>
#include <ito/parameters.hpp>
#include <ito/series_model.hpp>

#include "cli/output_folder.hpp"

namespace ito::cli {

/// The folder `ito fit` writes and `ito evaluate` and `ito sample` read.
///
/// A fit works in the folder's lock and publishes its files when all of them are ready: until then
/// the folder holds the earlier fit, or none. What can be gone on with is kept in the subfolder
/// `unfinished` when a fit ends without that.
class FitFolder {
 public:
  enum class Start { fresh, resume, overwrite };
  /// Makes the folder this process's. Throws ito::Error where another process has it, or when a
  /// fresh start finds a fit.
  FitFolder(std::filesystem::path root, Start start);
  ~FitFolder() { keep(); }

  /// Begins to work: with what is to be gone on with, or with nothing.
  void open();
  void publish() const;
  /// The same error with files called by where they belong rather than by where they are made.
  Error named(const Error& error) const;

  std::filesystem::path model() const { return work_ / "model.json"; }
  /// The ones to use: a copy of one of the next.
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
  std::filesystem::path unfinished() const { return root_ / "unfinished"; }
  void keep() noexcept;

  std::filesystem::path root_;
  Start start_;
  OutputFolder output_;
  std::filesystem::path work_;
  OnInterrupt on_interrupt_;
};

/// In place of a file of parameters: those in `FitFolder::parameters`.
inline constexpr const char* default_parameters = "default";

/// The model in the folder of a finished fit.
struct FittedModel {
  LatentModel latent;
  std::optional<SeriesModel> series;  ///< where it is one of series
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
