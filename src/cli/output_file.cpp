#include "cli/output_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/file_options.hpp"
#include "cli/output.hpp"
#include "io/file.hpp"

namespace ito::cli {
namespace {

namespace fs = std::filesystem;

void require_regular(std::string_view option, const std::string& file) {
  struct stat status {};
  const bool exists = ::stat(file.c_str(), &status) == 0;
  const bool folder = exists ? S_ISDIR(status.st_mode) : fs::path(file).filename().empty();
  if (!folder && (!exists || S_ISREG(status.st_mode))) return;
  throw Error(std::string(option),
              fmt::format("'{}', {}", file, folder ? "a folder" : "a special file"),
              "the name of a regular file to write");
}

void print_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> part(std::size_t{1} << 18);
  while (stream.read(part.data(), static_cast<std::streamsize>(part.size())) || stream.gcount() > 0)
    print({part.data(), static_cast<std::size_t>(stream.gcount())});
  if (!stream.eof()) throw Error(fmt::format("{}: cannot read it back", file.string()));
  finish_output();
}

}  // namespace

OutputFile::OutputFile(std::string_view option, const std::string& file, Kind kind)
    : name_(file == dash ? "standard output" : file), on_interrupt_([this] { give_up(); }) {
  const auto held = hold_interrupts();
  if (file == dash) {
    if (kind == Kind::binary && ::isatty(STDOUT_FILENO) != 0) {
      throw Error(std::string(option), "'-', which is a terminal",
                  "a file, or '-' with standard output sent to a file or another program");
    }
    temporary_.emplace();
    return;
  }
  require_regular(option, file);
  file_ = target_of(file);
  lock_.emplace(OutputLock::of_file(file_), option, file);
}

void OutputFile::give_up() noexcept {
  if (lock_) lock_->release();
}

void OutputFile::write(const std::function<void(const fs::path&)>& write) const {
  const fs::path place = lock_ ? lock_->place() / file_.filename() : temporary_->path() / "output";
  try {
    write(place);
  } catch (const Error& error) {
    throw renamed(error, place, name_);
  }
  put_in_place(place);
}

void OutputFile::put_in_place(const fs::path& written) const {
  if (!lock_) {
    print_file(written);
    return;
  }
  const auto held = hold_interrupts();
  std::error_code ignored;
  // Replacing a file keeps its permissions; not being able to is no reason to lose the data.
  const fs::file_status earlier = fs::status(file_, ignored);
  if (fs::is_regular_file(earlier)) fs::permissions(written, earlier.permissions(), ignored);
  move_file(written, file_);
}

void OutputFile::say(std::string_view text) const {
  if (lock_)
    print(text);
  else
    std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace ito::cli
