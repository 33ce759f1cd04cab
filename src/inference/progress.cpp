#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <ito/fit.hpp>

namespace ito {
namespace {

std::string bar(std::size_t done, std::size_t total) {
  constexpr std::size_t width = 20;
  const std::size_t filled = width * done / total;
  std::string text;
  for (std::size_t i = 0; i < width; ++i) text += i < filled ? "█" : "░";
  return text;
}

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

/// 1234567 as 1.2M: a rate needs two digits.
std::string rate(double number) {
  if (number >= 1e9) return fmt::format("{:.1f}G", number / 1e9);
  if (number >= 1e6) return fmt::format("{:.1f}M", number / 1e6);
  return fmt::format("{:.0f}k", number / 1e3);
}

std::string line(const Progress& progress) {
  const EpochRecord& record = progress.record;
  std::string text = fmt::format("{} {}/{}  elbo {:.3f}", bar(record.epoch, progress.epochs),
                                 record.epoch, progress.epochs, record.elbo);
  if (std::isfinite(record.held_out_elbo))
    text += fmt::format("  held out {:.3f}  ess {:.1f}", record.held_out_elbo, record.held_out_ess);
  if (record.non_finite > 0) text += fmt::format("  {} non-finite", record.non_finite);
  return text + fmt::format("  {} path-steps/s  {} left", rate(progress.path_steps_per_second),
                            duration(progress.seconds_left));
}

/// A line that is drawn over on a terminal and ended when nobody draws any more.
class ConsoleLine {
 public:
  ConsoleLine() = default;
  ConsoleLine(const ConsoleLine&) = delete;
  ConsoleLine& operator=(const ConsoleLine&) = delete;
  ~ConsoleLine() {
    if (open_) std::fputs("\n", stderr);
  }
  void draw(const std::string& text) {
    std::fputs((terminal_ ? "\r\x1b[K" + text : text + "\n").c_str(), stderr);
    std::fflush(stderr);
    open_ = terminal_;
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  bool open_ = false;
};

}  // namespace

ProgressCallback console_progress() {
  return [console = std::make_shared<ConsoleLine>()](const Progress& progress) {
    console->draw(line(progress));
  };
}

}  // namespace ito
