#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ito/fit.hpp>
#include <nlohmann/json.hpp>

#include "cli/fit_report.hpp"
#include "cli/series_options.hpp"

namespace ito::cli {

/// The command line of `ito fit`.
struct FitArguments {
  std::string model;
  std::string data;
  std::string out;
  std::size_t held_out_rows = 0;
  std::string held_out_data;
  SeriesOptions series;  ///< of both files
  bool standardize = false;
  std::optional<double> forecast_after;
  std::string start;                  ///< empty: fresh parameters
  Header header = Header::automatic;  ///< of both files
  bool resume = false;
  bool overwrite = false;
  bool compare = false;
  bool json = false;
  bool quiet = false;
  std::size_t evaluation_samples = 128;
  FitOptions options;                     ///< but for its checkpoint
  std::vector<std::string> command_line;  ///< as typed, program first
};

/// Trains, evaluates, compares, and leaves the result in the folder. Gives the exit status: 0, or
/// 128 plus the number of the signal that stopped it.
int run_fit(const FitArguments& arguments);

/// The settings of a fit by name, in the order the report lists them.
std::vector<std::pair<std::string, std::string>> describe_settings(const FitArguments& arguments,
                                                                   const Dataset& training,
                                                                   const Dataset& held_out,
                                                                   const FitResult& fitted,
                                                                   double seconds);

/// What summary.json holds and --json prints.
nlohmann::ordered_json summary_json(const FitReport& report);

/// The same for people.
std::string summary_text(const FitReport& report);

/// One row an epoch; a value that is not there is an empty cell. The column plan counts up where
/// --train-longer planned the learning rate anew; the column kept is 1 at the epoch whose
/// parameters
/// --patience has kept, else 0.
std::string history_csv(const FitResult& fitted);

}  // namespace ito::cli
