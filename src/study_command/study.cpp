#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/version.hpp>

#include "cli/child_process.hpp"
#include "cli/commands.hpp"
#include "cli/file_options.hpp"
#include "cli/html.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/output_folder.hpp"
#include "cli/temporary_folder.hpp"
#include "io/file.hpp"
#include "model/check.hpp"
#include "study/study.hpp"
#include "study_command/study_figures.hpp"

namespace ito::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct StudyArguments {
  const study::Study* study = nullptr;
  std::vector<std::string> parts;
  std::string digits, mocap, out;
  Header header = Header::automatic;
  study::Settings settings;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string duration(double seconds) {
  const auto whole = std::lround(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// One line on standard error, drawn over on a terminal: a bar over all chosen parts.
class StudyProgress {
 public:
  explicit StudyProgress(const std::vector<study::PartKind>& chosen) {
    for (const study::PartKind& part : chosen) total_ += part.minutes;
  }
  ~StudyProgress() {
    if (terminal_) std::fputs("\n", stderr);
  }
  StudyProgress(const StudyProgress&) = delete;
  StudyProgress& operator=(const StudyProgress&) = delete;

  void begin(const study::PartKind& part) { part_ = &part; }
  void end() { finished_ += part_->minutes; }
  void draw(const std::string& what, double done) const {
    constexpr int width = 24;
    const double share =
        std::min(1.0, (finished_ + part_->minutes * std::clamp(done, 0.0, 1.0)) / total_);
    const int filled = static_cast<int>(width * share);
    std::string text;
    for (int i = 0; i < width; ++i) text += i < filled ? "█" : "░";
    const double seconds = seconds_since(start_);
    text +=
        fmt::format(" {:3.0f} %  {}  {}: {}", 100 * share, duration(seconds), part_->name, what);
    std::fputs((terminal_ ? "\r\x1b[K" + text : text + "\n").c_str(), stderr);
    std::fflush(stderr);
  }
  double seconds() const { return seconds_since(start_); }

 private:
  Clock::time_point start_ = Clock::now();
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  double total_ = 0, finished_ = 0;
  const study::PartKind* part_ = nullptr;
};

/// Thrown where a signal has come in.
struct Stopped : std::exception {};

std::string part_html(Gnuplot* gnuplot, const study::Part& part) {
  std::string text = fmt::format("<h1 class=\"part\">{}</h1>\n", escaped(part.title));
  for (const std::string& finding : part.findings)
    text += fmt::format("<p><strong>{}</strong></p>\n", escaped(finding));
  for (const std::string& paragraph : part.text)
    text += fmt::format("<p>{}</p>\n", escaped(paragraph));
  for (const study::Figure& figure : part.figures) {
    if (!gnuplot) continue;
    // A figure that cannot be drawn costs its place in the report, not the study.
    try {
      text += figure_html(draw(*gnuplot, figure));
    } catch (const Error& error) {
      text += fmt::format("<p>A figure could not be drawn: {}</p>\n", escaped(error.what()));
    }
  }
  for (const study::Table& table : part.tables) {
    std::string rows;
    for (const auto& row : table.rows) rows += table_row(row);
    text += fmt::format("<h3>{}</h3>\n", escaped(table.title)) + table_html(table.header, rows);
  }
  return text;
}

std::string render(const StudyArguments& arguments, const std::vector<study::Part>& parts,
                   double seconds) {
  const study::Settings& settings = arguments.settings;
  const study::Study& study = *arguments.study;
  const std::string seeds = study.seeded
                                ? fmt::format("{} seeds from {}", settings.seeds, settings.seed)
                                : fmt::format("seed {}", settings.seed);
  std::string page = page_head(
      study.heading, study.heading,
      fmt::format("{} Effort {:g}, {}, engine {}, {} min; ito {}. All numbers are in {}.json "
                  "beside this page.",
                  study.subtitle, settings.effort, seeds, settings.execution.device.name(),
                  duration(seconds), version(), study.name));
  std::unique_ptr<Gnuplot> gnuplot;
  if (Gnuplot::available()) {
    gnuplot = std::make_unique<Gnuplot>();
  } else {
    page +=
        "<p>Figures need gnuplot (Debian: gnuplot-nox); the tables and the JSON are "
        "complete.</p>\n";
  }
  for (const study::Part& part : parts) page += part_html(gnuplot.get(), part);
  return page + "</body></html>\n";
}

std::vector<study::PartKind> chosen_parts(const StudyArguments& arguments) {
  const std::vector<std::string>& names = arguments.parts;
  std::vector<study::PartKind> chosen;
  for (const study::PartKind& part : arguments.study->parts)
    if (names.empty() || std::ranges::find(names, part.name) != names.end()) chosen.push_back(part);
  return chosen;
}

Dataset read_digits(const std::string& file, Header header) {
  if (file.empty()) return {};
  try {
    Dataset digits = read_observations(file, 1, header).data;
    study::check_digits(digits);
    return digits;
  } catch (const Error& error) {
    throw Error(fmt::format("--digits: {}", error.what()));
  }
}

/// The most bytes `ito gradient` has resident, run as a child process; 0 where the system does not
/// say. Throws ito::Error where it fails.
double peak_memory_of(const study::GradientRun& run) {
  if (peak_memory() == 0) return 0;
  const TemporaryFolder folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  write_file(file("model.json"), to_json(run.model));
  save_safetensors(run.parameters, file("parameters.safetensors"));
  const int status = run_child(folder.path(), "/proc/self/exe",
                               {"ito",
                                "gradient",
                                file("model.json"),
                                "--params",
                                file("parameters.safetensors"),
                                "--paths",
                                fmt::format("{}", run.paths),
                                "--loss",
                                R"({"state": 1, "energy": 1})",
                                "--method",
                                std::string(name(run.method)),
                                "--workspace-limit",
                                fmt::format("{}", run.workspace_limit),
                                "--threads",
                                fmt::format("{}", run.threads),
                                "--device",
                                "cpu",
                                "--json",
                                "--out",
                                file("gradient.safetensors")});
  const std::string said = read_file(folder.path() / "log");
  if (status != 0) throw Error(fmt::format("ito gradient ended with status {}: {}", status, said));
  return nlohmann::json::parse(said)["peak_memory"];
}

/// Runs the parts and writes what they found. Throws Stopped where a signal has come in.
void write_results(StudyArguments& arguments, const OutputFolder& folder,
                   std::span<const char* const> names) {
  const std::vector<study::PartKind> chosen = chosen_parts(arguments);
  study::Settings& settings = arguments.settings;
  StudyProgress progress(chosen);
  settings.progress = [&](const std::string& what, double done) {
    if (interrupted_by() != 0) throw Stopped{};
    progress.draw(what, done);
  };
  nlohmann::ordered_json numbers{{"version", version()},
                                 {"effort", settings.effort},
                                 {"seeds", settings.seeds},
                                 {"seed", settings.seed},
                                 {"device", settings.execution.device.name()},
                                 {"parts", nlohmann::ordered_json::object()}};
  std::vector<study::Part> parts;
  for (const study::PartKind& kind : chosen) {
    progress.begin(kind);
    const Clock::time_point start = Clock::now();
    parts.push_back(kind.run(settings));
    progress.end();
    numbers["parts"][kind.name] = parts.back().numbers;
    numbers["parts"][kind.name]["seconds"] = seconds_since(start);
  }
  const std::filesystem::path staging = folder.staging();
  std::filesystem::create_directory(staging);
  write_file(staging / names[0], json_text(numbers, 1));
  write_file(staging / names[1], render(arguments, parts, progress.seconds()));
  folder.publish(staging, names);
  for (const study::Part& part : parts)
    for (const std::string& finding : part.findings) print(finding + "\n");
  const std::filesystem::path out(arguments.out);
  print(fmt::format("The report is {}, its numbers {}\n", (out / names[1]).string(),
                    (out / names[0]).string()));
}

int run_study(StudyArguments arguments) {
  study::Settings& settings = arguments.settings;
  if (!(settings.effort > 0 && settings.effort <= 1000)) {
    throw UsageError("--effort", fmt::format("{:g}", settings.effort),
                     "a number above 0, up to 1000");
  }
  const OutputFolder folder("--out", arguments.out);
  const std::string numbers = arguments.study->name + ".json";
  const std::array names{numbers.c_str(), "report.html"};
  folder.require_own(names);
  settings.digits = read_digits(arguments.digits, arguments.header);
  settings.mocap = arguments.mocap;
  settings.resident_bytes = peak_memory_of;
  remember_interrupts();
  try {
    write_results(arguments, folder, names);
  } catch (const std::exception&) {
    // A child of ours that the same signal has ended is an error too.
    if (interrupted_by() == 0) throw;
    print_message(fmt::format("{}: stopped by signal {}; nothing was written",
                              arguments.study->name, interrupted_by()));
    return 128 + interrupted_by();
  }
  return 0;
}

}  // namespace

void add_studies(CLI::App& program, Action& action) {
  for (const study::Study& study : study::studies()) {
    auto* command = program.add_subcommand(study.name, study.summary);
    auto arguments = std::make_shared<StudyArguments>();
    arguments->study = &study;
    std::vector<std::string> names;
    std::string footer = "Parts:\n";
    for (const study::PartKind& part : study.parts) {
      names.push_back(part.name);
      footer +=
          fmt::format("  {:<16} {} (about {:g} min)\n", part.name, part.summary, part.minutes);
    }
    command->footer(footer + "Times are for two cores at effort 1" +
                    (study.seeded ? " and three seeds." : "."));
    command->add_option("PART", arguments->parts, "Parts to run; none: all of them, in order")
        ->check(CLI::IsMember(names))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    add_folder(*command, "--out", arguments->out,
               fmt::format("Folder for report.html and {}.json", study.name))
        ->required();
    add_number(*command, "--effort", arguments->settings.effort,
               "Scales iterations and numbers of samples; below 0.25 sweeps keep their ends only");
    if (study.data == study::Study::Data::digits) {
      add_input(*command, "--digits", arguments->digits,
                "Handwritten digits (.csv, 64 numbers 0 to 16 a row) for part 1");
      add_header(*command, arguments->header);
    }
    if (study.data == study::Study::Data::mocap)
      add_folder(*command, "--mocap", arguments->mocap,
                 "Folder of mocap35_train.npy, mocap35_val.npy and mocap35_test.npy");
    if (study.seeded) {
      add_whole_number(*command, "--seeds", arguments->settings.seeds,
                       "Runs with seeds of their own", std::size_t{1}, std::size_t{1000});
    }
    add_whole_number(*command, "--seed", arguments->settings.seed,
                     study.seeded ? "The first run's seed" : "Seed of the noise");
    add_device(*command, arguments->settings.execution.device);
    add_threads(*command, arguments->settings.execution.threads);
    command->callback(
        [arguments, &action] { action = [arguments] { return run_study(*arguments); }; });
  }
}

}  // namespace ito::cli
