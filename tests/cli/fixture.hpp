#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/program.hpp"

/// Tests of the program in a folder of their own that holds a small SDE (sde.json,
/// sde.safetensors), a small latent model (latent.json) and data for it (data.csv, 24 rows of 3
/// numbers).
class ProgramTest : public testing::Test {
 protected:
  ProgramTest();
  ~ProgramTest() override;

  std::string at(const std::string& name) const { return (folder / name).string(); }
  /// A fit of the small latent model into the folder "fit", with `more` arguments.
  std::vector<std::string> fit_arguments(const std::vector<std::string>& more = {}) const;
  std::filesystem::path folder;
};

extern const std::string small_sde;
extern const std::string small_latent_model;

/// Ended with `status`, said exactly one line "ito: …" that contains every one of `parts`, and
/// printed nothing else.
void expect_error(const Outcome& outcome, int status, const std::vector<std::string>& parts);

/// Every file under a folder with its contents.
std::map<std::string, std::string> snapshot(const std::filesystem::path& folder);

/// Every file and folder under a folder, hidden ones too.
std::vector<std::string> listing(const std::filesystem::path& folder);

/// Waits until `there()`, or until the program has ended; whether it is there.
template <class Condition>
bool wait_for(Program& program, Condition there) {
  while (!there())
    if (!program.running()) return there();
  return true;
}
