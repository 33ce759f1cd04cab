#include "cli/fit_folder.hpp"

#include <signal.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/description.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

// In the order a replacement moves them up: the checkpoint last, because while it is there a fit
// cut off in the middle of the move can still be gone on with.
constexpr std::array own_files{"model.json",
                               "parameters.safetensors",
                               "average.safetensors",
                               "last.safetensors",
                               "history.csv",
                               "report.html",
                               "summary.json",
                               "baseline.safetensors",
                               "checkpoint.safetensors"};

bool holds_fit(const fs::path& folder) {
  for (const char* name : own_files)
    if (fs::exists(folder / name)) return true;
  return false;
}

/// Removes the temporary files (see io/file.cpp) of a process that was killed while it wrote.
void remove_leftovers(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    int process = 0, length = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), ".ito-%d-%*u.tmp%n", &process, &length) != 1) continue;
    const bool whole = static_cast<std::size_t>(length) == name.size();
    if (whole && process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) fs::remove(entry.path());
  }
}

void remove_own_files(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : own_files) fs::remove(folder / name, ignored);
}

/// Removes the program's own files and, if nothing else is in it, the folder.
void clear(const fs::path& folder) {
  remove_own_files(folder);
  std::error_code not_empty;
  fs::remove(folder, not_empty);
}

}  // namespace

void FitFolder::open(Start start) {
  const bool replacing = fs::exists(replacement() / "checkpoint.safetensors");
  switch (start) {
    case Start::fresh:
      if (holds_fit(root_) || replacing) {
        throw Error(
            "--out", fmt::format("'{}', which holds a fit", root_.string()),
            "another folder, or --resume to go on with that fit, or --overwrite to replace it");
      }
      break;
    case Start::resume:
      if (replacing) work_ = replacement();
      break;
    case Start::overwrite:
      if (fs::exists(replacement())) remove_leftovers(replacement());
      clear(replacement());
      if (holds_fit(root_)) work_ = replacement();
      break;
  }
  fs::create_directories(work_);
  remove_leftovers(work_);
  began_empty_ = !holds_fit(work_);
}

void FitFolder::publish() const {
  if (work_ == root_) return;
  for (const char* name : own_files) {
    if (fs::exists(work_ / name))
      fs::rename(work_ / name, root_ / name);
    else
      fs::remove(root_ / name);  // of the earlier fit, for example one made with --compare
  }
  clear(work_);
}

void FitFolder::abandon() const {
  if (!began_empty_ || fs::exists(checkpoint())) return;
  work_ == root_ ? remove_own_files(root_) : clear(work_);
}

namespace {

/// What --params says, as a file.
fs::path parameter_file(const FitFolder& files, const std::string& parameters) {
  if (parameters == default_parameters) return files.parameters();
  for (const Fitted fitted : {Fitted::average, Fitted::last}) {
    if (parameters != name(fitted)) continue;
    if (fs::exists(files.fitted(fitted)) || !fs::exists(files.parameters()))
      return files.fitted(fitted);
    throw Error("--params", fmt::format("'{}', which this fit did not keep", parameters),
                fmt::format("'{}' or a safetensors file", default_parameters));
  }
  if (fs::exists(parameters)) return parameters;
  throw Error("--params", fmt::format("'{}'", parameters),
              fmt::format("'{}', '{}', '{}' or a safetensors file that exists", default_parameters,
                          name(Fitted::average), name(Fitted::last)));
}

}  // namespace

FittedModel read_fit(const fs::path& folder, const std::string& parameters) {
  if (!fs::is_directory(folder)) {
    throw Error("DIR", fmt::format("'{}'", folder.string()), "a folder that `ito fit` wrote");
  }
  const FitFolder files(folder);
  const auto require_own = [](const fs::path& file) {
    if (fs::exists(file)) return;
    throw Error(fmt::format(
        "{}: is missing; let `ito fit` finish first, or go on with it by `ito fit ... --resume`",
        file.string()));
  };
  require_own(files.model());
  const fs::path file = parameter_file(files, parameters);
  require_own(file);
  LatentModel latent = read_latent_model(files.model());
  Parameters loaded = load_safetensors(zero_parameters(latent), file);
  return {.latent = std::move(latent), .parameters = std::move(loaded)};
}

Parameters read_start(const std::string& start, const LatentModel& latent) {
  const bool folder = fs::is_directory(start);
  const fs::path file = folder ? FitFolder(start).parameters() : fs::path(start);
  if (!fs::exists(file))
    throw Error("--start", fmt::format("'{}'{}", start, folder ? ", without parameters" : ""),
                "a folder with a fit that `ito fit` has finished, or a safetensors file");
  return load_safetensors(zero_parameters(latent), file);
}

CLI::Option* add_fit_parameters(CLI::App& command, std::string& parameters) {
  return command
      .add_option("--params", parameters,
                  "'average' of the fit's steps, 'last' step's, 'default' (whichever is better on "
                  "held-out data; without any, the average) or a safetensors file")
      ->capture_default_str();
}

}  // namespace ito::cli
