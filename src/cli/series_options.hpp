#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <ito/series_file.hpp>
#include <ito/series_model.hpp>

namespace ito::cli {

/// How a command's files of series are read, and which of its options are for series alone.
struct SeriesOptions {
  SeriesFormat format{};
  std::vector<const CLI::Option*> options{};

  /// Throws ito::Error where one of them was given: there is nothing that it could mean.
  void refuse() const;
};

/// --series-column, --time-column, --exclude, --inputs, --wide-times, --time-step.
void add_series_options(CLI::App& command, SeriesOptions& series);

/// The series of a file, with the columns and inputs of the model, in its order, where it names
/// them.
SeriesDataset read_model_series(const std::string& file, const SeriesOptions& series,
                                const SeriesModel& model, Header header);

/// "16 series of 2 columns at 480 times, 12 % of the numbers missing"
std::string reading_of(const SeriesDataset& data);

/// "a,b" as a and b.
std::vector<std::string> read_names(const std::string& text);
/// "0.5,1,2", or "FROM:TO:STEP": numbers from the first up to the second.
std::vector<double> read_numbers(const std::string& text);

CLI::Option* add_numbers(CLI::App& command, const std::string& option, std::vector<double>& values,
                         const std::string& description);
/// One that need not be there.
CLI::Option* add_number(CLI::App& command, const std::string& option, std::optional<double>& value,
                        const std::string& description);

}  // namespace ito::cli
