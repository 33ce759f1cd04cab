#include "cli/fit_folder.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/description.hpp"
#include "cli/file_options.hpp"
#include "cli/output.hpp"
#include "io/file.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* parameters_name = "parameters.safetensors";

constexpr std::array own_files{
    "model.json",           parameters_name,         "average.safetensors", "last.safetensors",
    "best.safetensors",     "history.csv",           "report.html",         "summary.json",
    "baseline.safetensors", "checkpoint.safetensors"};

/// What a fit goes on from.
constexpr std::array begun_files{"model.json", "baseline.safetensors", "checkpoint.safetensors"};

bool holds_fit(const fs::path& folder) {
  for (const char* name : own_files)
    if (fs::exists(folder / name)) return true;
  return false;
}

/// Removes the program's own files and, if nothing else is in it, the folder.
void clear(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : own_files) fs::remove(folder / name, ignored);
  fs::remove(folder, ignored);
}

}  // namespace

FitFolder::FitFolder(fs::path root, Start start)
    : root_(std::move(root)),
      start_(start),
      output_("--out", root_),
      work_(output_.work()),
      on_interrupt_([this] { keep(); }) {
  output_.require_own(own_files);
  const bool begun = fs::exists(unfinished() / checkpoint().filename());
  if (start_ == Start::resume && !begun && !fs::exists(root_ / checkpoint().filename()) &&
      fs::exists(root_ / parameters_name)) {
    throw Error(
        "--resume", fmt::format("'{}', which holds a fit without its checkpoint", root_.string()),
        "a folder with a checkpoint; --overwrite replaces that fit, --start begins with its "
        "parameters");
  }
  if (start_ != Start::fresh) return;
  if (!begun && !holds_fit(root_)) return;
  throw Error(
      "--out",
      fmt::format("'{}', which holds {}", root_.string(), begun ? "an unfinished fit" : "a fit"),
      "another folder, or --resume to go on with that fit, or --overwrite to replace it");
}

void FitFolder::open() {
  const auto held = hold_interrupts();
  if (start_ == Start::resume && fs::exists(unfinished() / checkpoint().filename())) {
    move_file(unfinished(), work_);
    return;
  }
  clear(unfinished());
  fs::create_directory(work_);
  if (start_ != Start::resume) return;
  for (const char* name : begun_files)
    if (fs::exists(root_ / name)) fs::copy_file(root_ / name, work_ / name);
}

void FitFolder::publish() const { output_.publish(work_, own_files); }

Error FitFolder::named(const Error& error) const { return renamed(error, work_, root_); }

/// Nothing where the work is published. Otherwise it is removed, unless there is a checkpoint to go
/// on from that the earlier fit has not.
void FitFolder::keep() noexcept {
  const auto held = hold_interrupts();
  try {
    if (!fs::exists(work_)) return;
    output_.keep_work();
    const fs::path kept = unfinished() / checkpoint().filename();
    const fs::path earlier = root_ / checkpoint().filename();
    if (!fs::exists(kept) || (fs::exists(earlier) && read_file(kept) == read_file(earlier)))
      clear(unfinished());
  } catch (const std::exception&) {
    // It stays in the lock, as after a kill.
  }
}

namespace {

constexpr std::array kinds{Fitted::average, Fitted::last, Fitted::best};

fs::path file_of(const fs::path& folder, Fitted fitted) {
  return folder / (std::string(name(fitted)) + ".safetensors");
}

/// Whether --params says one of a fit's own files.
bool is_own(const std::string& parameters) {
  return parameters == default_parameters ||
         std::ranges::find(kinds, parameters, [](Fitted fitted) { return name(fitted); }) !=
             kinds.end();
}

/// What --params says, as a file.
fs::path parameter_file(const fs::path& folder, const std::string& parameters) {
  if (parameters == default_parameters) return folder / parameters_name;
  for (const Fitted fitted : kinds) {
    if (parameters != name(fitted)) continue;
    if (fs::exists(file_of(folder, fitted)) || !fs::exists(folder / parameters_name))
      return file_of(folder, fitted);
    throw Error("--params", fmt::format("'{}', which this fit did not keep", parameters),
                fmt::format("'{}' or a safetensors file", default_parameters));
  }
  if (fs::exists(parameters)) return parameters;
  throw Error(
      "--params", fmt::format("'{}'", parameters),
      fmt::format("'{}', '{}', '{}', '{}' or a safetensors file that exists", default_parameters,
                  name(Fitted::average), name(Fitted::last), name(Fitted::best)));
}

}  // namespace

FittedModel read_fit(const fs::path& folder, const std::string& parameters) {
  if (!fs::is_directory(folder)) {
    throw Error("DIR", fmt::format("'{}'", folder.string()), "a folder that `ito fit` wrote");
  }
  const auto require_own = [](const fs::path& file) {
    if (fs::exists(file)) return;
    throw Error(fmt::format(
        "{}: is missing; let `ito fit` finish first, or go on with it by `ito fit ... --resume`",
        file.string()));
  };
  std::optional<FittedModel> fitted;
  fs::path file;
  read_published(folder, own_files, [&] {
    const fs::path model = folder / "model.json";
    require_own(model);
    file = parameter_file(folder, parameters);
    require_own(file);
    DataModel read = read_data_model(model);
    Parameters loaded = zero_parameters(read.latent);
    if (is_own(parameters)) loaded = load_safetensors(loaded, file);
    fitted = {.latent = std::move(read.latent),
              .series = std::move(read.series),
              .parameters = std::move(loaded)};
  });
  // Once: standard input cannot be read again.
  if (!is_own(parameters)) fitted->parameters = load_safetensors(fitted->parameters, file);
  return std::move(*fitted);
}

Parameters read_start(const std::string& start, const LatentModel& latent) {
  const bool folder = fs::is_directory(start);
  const fs::path file = folder ? fs::path(start) / parameters_name : fs::path(start);
  Parameters parameters = zero_parameters(latent);
  const auto read = [&] {
    if (!fs::exists(file))
      throw Error("--start", fmt::format("'{}'{}", start, folder ? ", without parameters" : ""),
                  "a folder with a fit that `ito fit` has finished, or a safetensors file");
    parameters = load_safetensors(parameters, file);
  };
  if (folder)
    read_published(start, own_files, read);
  else
    read();
  return parameters;
}

CLI::Option* add_fit_parameters(CLI::App& command, std::string& parameters) {
  return add_input(command, "--params", parameters,
                   "'average' of the fit's steps, 'last' step's, 'best' epoch's (with --patience), "
                   "'default' (the best epoch's, else whichever of the two is better on held-out "
                   "data; without any, the average) or a safetensors file")
      ->default_str(parameters);
}

}  // namespace ito::cli
