#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ito::cli {

/// Runs `program` (looked for in PATH) in `folder` with what it says going to the file `log` there.
/// Gives its exit status, or −1 where there is no such program.
int run_child(const std::filesystem::path& folder, const std::string& program,
              std::vector<std::string> arguments);

}  // namespace ito::cli
