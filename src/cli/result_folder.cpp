#include "cli/result_folder.hpp"

#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/output.hpp"

namespace ito::cli {

namespace fs = std::filesystem;

ResultFolder::ResultFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code ignored;
  for (fs::path at = fs::absolute(folder_); !fs::exists(at, ignored); at = at.parent_path())
    missing_.push_back(at);
}

ResultFolder::~ResultFolder() {
  std::error_code not_empty;
  for (const fs::path& folder : missing_) fs::remove(folder, not_empty);
}

void ResultFolder::make(std::string_view option) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!fs::is_directory(folder_)) {
    throw Error(std::string(option), fmt::format("'{}'", folder_.string()),
                fmt::format("a folder that exists or can be created ({})",
                            error ? error.message() : "a file stands in its place"));
  }
  require_writable(folder_ / "probe", option);
}

}  // namespace ito::cli
