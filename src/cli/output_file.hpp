#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/interrupt.hpp"
#include "cli/output_lock.hpp"
#include "cli/temporary_folder.hpp"

namespace ito::cli {

/// A file of results that this process alone writes, from before the long work until the object
/// goes. It appears complete or not at all. The name "-" is standard output.
class OutputFile {
 public:
  enum class Kind { text, binary };
  /// Throws ito::Error, which names `option`, where the file cannot be created or replaced, another
  /// process writes it, or standard output is a terminal and the file is binary.
  OutputFile(std::string_view option, const std::string& file, Kind kind);
  ~OutputFile() { give_up(); }

  /// `write` writes a file of the name it gets, which then takes the output's place.
  void write(const std::function<void(const std::filesystem::path&)>& write) const;

  /// Says something about the results: on standard output, or beside it where they are there.
  void say(std::string_view text) const;
  /// The output's name in a sentence.
  const std::string& name() const { return name_; }

 private:
  void give_up() noexcept;
  void put_in_place(const std::filesystem::path& written) const;

  std::string name_;
  std::filesystem::path file_;  ///< symbolic links followed; empty: standard output
  OnInterrupt on_interrupt_;
  std::optional<OutputLock> lock_;
  std::optional<TemporaryFolder> temporary_;  ///< for standard output
};

}  // namespace ito::cli
