#include "cli/fit_input.hpp"

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/description.hpp"
#include "cli/file_options.hpp"
#include "cli/fit_run.hpp"
#include "model/text.hpp"

namespace ito::cli {
namespace {

/// The observations of one of the two files.
Dataset read_rows(const std::string& file, const FitArguments& arguments, const LatentModel& latent,
                  std::vector<std::string>& readings) {
  DatasetFile read = read_observations(file, latent.model.save.size(), arguments.header);
  check_dataset(read.data, latent);
  readings.push_back(fmt::format("{}: {}", printable(file), reading_of(read)));
  return std::move(read.data);
}

/// Refuses to keep back as many as there are.
void check_held_out(const FitArguments& arguments, std::size_t count, const char* things) {
  if (arguments.held_out_rows < count) return;
  throw Error("--held-out", fmt::format("{}", arguments.held_out_rows),
              fmt::format("fewer than the {} {} in {}", count, things, arguments.data));
}

void read_rows(const FitArguments& arguments, FitInput& input) {
  input.training = read_rows(arguments.data, arguments, input.latent, input.readings);
  if (!arguments.held_out_data.empty()) {
    input.held_out = read_rows(arguments.held_out_data, arguments, input.latent, input.readings);
  } else if (arguments.held_out_rows > 0) {
    const std::size_t count = input.training.count;
    check_held_out(arguments, count, "observations");
    input.held_out = input.training.slice(count - arguments.held_out_rows, count);
    input.training = input.training.slice(0, count - arguments.held_out_rows);
  }
}

void read_series(const FitArguments& arguments, SeriesFit& fit,
                 std::vector<std::string>& readings) {
  SeriesModel& model = fit.model;
  const auto read = [&](const std::string& file) {
    SeriesDataset data = read_model_series(file, arguments.series, model, arguments.header);
    readings.push_back(fmt::format("{}: {}", printable(file), reading_of(data)));
    return data;
  };
  fit.training = read(arguments.data);
  model.columns = fit.training.columns;
  model.input_columns = fit.training.input_columns;
  if (!arguments.held_out_data.empty()) {
    fit.held_out = read(arguments.held_out_data);
  } else if (arguments.held_out_rows > 0) {
    const std::size_t count = fit.training.count();
    check_held_out(arguments, count, "series");
    fit.held_out = fit.training.slice(count - arguments.held_out_rows, count);
    fit.training = fit.training.slice(0, count - arguments.held_out_rows);
  }
  if (!arguments.standardize) return;
  if (model.standardization)
    throw Error("--standardize", "it with a model that has a standardization",
                "one or the other: the model's is taken as it is");
  model.standardization = fit_standardization(fit.training);
}

/// Training and held-out series as rows of one latent model.
void set_rows(const SeriesFit& fit, FitInput& input) {
  LatentSeriesSplit rows = latent_series(fit.model, SeriesSplit{fit.training, fit.held_out});
  input.training = std::move(rows.first);
  input.held_out = std::move(rows.second);
  input.latent = std::move(rows.latent);
  check_dataset(input.training, input.latent);
  if (input.held_out.count > 0) check_dataset(input.held_out, input.latent);
}

}  // namespace

FitInput read_fit_input(const FitArguments& arguments) {
  DataModel model = read_data_model(arguments.model);
  FitInput input{.latent = std::move(model.latent)};
  if (!model.series) {
    arguments.series.refuse();
    read_rows(arguments, input);
    return input;
  }
  input.series = {.model = std::move(*model.series), .training = {}, .held_out = {}};
  read_series(arguments, *input.series, input.readings);
  set_rows(*input.series, input);
  return input;
}

}  // namespace ito::cli
