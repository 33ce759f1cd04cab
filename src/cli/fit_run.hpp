#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <ito/fit.hpp>

namespace ito::cli {

/// The command line of `ito fit`.
struct FitArguments {
  std::string model;
  std::string data;
  std::string out;
  std::size_t held_out_rows = 0;
  std::string held_out_data;
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

}  // namespace ito::cli
