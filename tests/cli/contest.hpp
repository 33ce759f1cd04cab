#pragma once

#include <cstdint>
#include <random>

#include "cli/fixture.hpp"

/// Fits that overwrite each other in one folder, are killed, interrupted and short of disk at
/// random moments, while others read. Whatever happens, the folder holds one fit.
class Contest : public ProgramTest {
 protected:
  Contest();

  /// As many random events, the same for the same seed.
  void run_rounds(int rounds, std::uint64_t seed);

 private:
  /// What a fit by itself gives.
  struct Reference {
    std::map<std::string, std::string> files;  ///< those without the time of day in them
    std::string bounds;                        ///< what `ito evaluate` prints
  };
  struct Fit {
    std::size_t reference = 0;
    std::vector<std::string> arguments;
  };

  Fit random_fit();
  Surroundings random_surroundings();
  double random_share() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  void wait_at_most(double seconds);
  std::vector<std::string> fit_arguments_of(std::size_t reference, const std::string& out) const;

  void two_at_once();
  void killed();
  void interrupted();
  void short_of_disk();

  /// A reader sees one fit or a line that says why not.
  void expect_readable(const Outcome& evaluation, bool must) const;
  /// The fit whose files the folder holds: all of one.
  std::size_t holder() const;
  /// Locks, and files that are not ready.
  std::vector<std::string> leftovers() const;

  std::vector<Reference> references_;
  double seconds_ = 0;  ///< that a fit takes
  std::mt19937_64 random_;
};
