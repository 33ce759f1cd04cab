#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/fit_report.hpp"
#include "cli/fit_run.hpp"

namespace ito::cli {

/// The settings of a fit by name, in the order the report lists them.
std::vector<std::pair<std::string, std::string>> describe_settings(
    const FitArguments& arguments, const Dataset& training, const Dataset& held_out,
    const std::vector<EpochRecord>& history, double seconds);

/// What summary.json holds and --json prints.
nlohmann::ordered_json summary_json(const FitReport& report);

/// The same for people.
std::string summary_text(const FitReport& report);

/// One row an epoch; a value that is not there is an empty cell. The column plan counts up where
/// --train-longer planned the learning rate anew.
std::string history_csv(const std::vector<EpochRecord>& history);

}  // namespace ito::cli
