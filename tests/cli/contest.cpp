#include "cli/contest.hpp"

#include <csignal>

#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t fits = 3;

const std::vector<std::string> compared_files{"model.json", "parameters.safetensors", "history.csv",
                                              "checkpoint.safetensors"};

}  // namespace

Contest::Contest() {
  for (std::size_t i = 0; i < fits; ++i) {
    // Of other sizes, so that the parameters of one do not pass for another's.
    std::string json = small_latent_model;
    json.replace(json.find("\"hidden\": [5]"), 13, fmt::format("\"hidden\": [{}]", 5 + i));
    write(folder / fmt::format("latent{}.json", i), json);
    const std::string name = fmt::format("reference{}", i);
    const Clock::time_point began = Clock::now();
    const Outcome outcome = run(fit_arguments_of(i, name));
    seconds_ = std::chrono::duration<double>(Clock::now() - began).count();
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    Reference reference;
    for (const std::string& file : compared_files)
      reference.files[file] = read(folder / name / file);
    reference.bounds = run({"evaluate", at(name), at("data.csv"), "--samples", "16"}).out;
    references_.push_back(reference);
  }
  fs::copy(folder / "reference0", folder / "fit");
}

std::vector<std::string> Contest::fit_arguments_of(std::size_t reference,
                                                   const std::string& out) const {
  std::vector<std::string> arguments =
      fit_arguments({"--epochs", "6", "--quiet", "--seed", fmt::format("{}", reference + 1)});
  arguments[1] = at(fmt::format("latent{}.json", reference));
  arguments[4] = at(out);
  return arguments;
}

Contest::Fit Contest::random_fit() {
  Fit fit{.reference = random_() % fits, .arguments = {}};
  fit.arguments = fit_arguments_of(fit.reference, "fit");
  fit.arguments.push_back("--overwrite");
  return fit;
}

Surroundings Contest::random_surroundings() { return {.file_locks = random_() % 2 == 0}; }

void Contest::wait_at_most(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds * random_share()));
}

std::size_t Contest::holder() const {
  const std::string model = read(folder / "fit/model.json");
  for (std::size_t i = 0; i < references_.size(); ++i) {
    if (references_[i].files.at("model.json") != model) continue;
    for (const auto& [name, contents] : references_[i].files)
      EXPECT_EQ(read(folder / "fit" / name), contents) << name << " is of another fit";
    const auto summary = nlohmann::json::parse(read(folder / "fit/summary.json"), nullptr, false);
    EXPECT_EQ(summary["settings"]["seed"], fmt::format("{}", i + 1)) << "of another fit";
    return i;
  }
  ADD_FAILURE() << "no fit's model: " << model;
  return references_.size();
}

void Contest::expect_readable(const Outcome& evaluation, bool must) const {
  if (evaluation.status != 0 && !must) {
    expect_error(evaluation, 1, {});
    return;
  }
  EXPECT_EQ(evaluation.status, 0) << evaluation.err;
  const auto same = [&](const Reference& one) { return one.bounds == evaluation.out; };
  EXPECT_TRUE(std::ranges::any_of(references_, same)) << "bounds of no fit: " << evaluation.out;
}

std::vector<std::string> Contest::leftovers() const {
  std::vector<std::string> names = listing(folder);
  std::erase_if(names, [](const auto& name) { return name.find(".ito") == std::string::npos; });
  return names;
}

void Contest::two_at_once() {
  const Fit first = random_fit(), second = random_fit();
  Program one(first.arguments, random_surroundings());
  wait_at_most(random_() % 2 == 0 ? 0 : 1.5 * seconds_);
  Program other(second.arguments, random_surroundings());
  wait_at_most(seconds_);
  expect_readable(run({"evaluate", at("fit"), at("data.csv"), "--samples", "16"}), false);
  const Outcome outcomes[] = {one.wait(), other.wait()};
  EXPECT_TRUE(outcomes[0].status == 0 || outcomes[1].status == 0);
  for (const Outcome& outcome : outcomes)
    if (outcome.status != 0) expect_error(outcome, 1, {"--out: got", "to which process"});
  const std::size_t held = holder();
  if (outcomes[0].status != 0 || outcomes[1].status != 0)
    EXPECT_EQ(held, outcomes[0].status == 0 ? first.reference : second.reference);
  else
    EXPECT_TRUE(held == first.reference || held == second.reference);
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

void Contest::killed() {
  const std::size_t before = holder();
  const Fit fit = random_fit();
  Program program(fit.arguments, random_surroundings());
  if (random_() % 2 == 0) {
    wait_at_most(1.2 * seconds_);
  } else {
    // While files are put in place.
    wait_for(program, [&] { return fs::exists(folder / "fit/.ito-lock/obsolete"); });
    wait_at_most(0.002);
  }
  program.send(SIGKILL);
  program.wait();
  expect_readable(
      run({"evaluate", at("fit"), at("data.csv"), "--samples", "16"}, random_surroundings()), true);
  const std::size_t after = holder();
  EXPECT_TRUE(after == before || after == fit.reference);
  if (random_() % 2 == 0) two_at_once();
}

void Contest::interrupted() {
  const std::size_t before = holder();
  const auto left_before = leftovers();
  const Fit fit = random_fit();
  Program program(fit.arguments, random_surroundings());
  wait_at_most(1.2 * seconds_);
  program.send(SIGINT);
  if (random_() % 2 == 0) program.send(SIGINT);
  const Outcome outcome = program.wait();
  // A signal that comes before the program's own first line ends it as it ends any program.
  EXPECT_TRUE(outcome.status == 0 || outcome.status == 128 + SIGINT || outcome.signal == SIGINT)
      << outcome.status << ' ' << outcome.err;
  const std::size_t after = holder();
  EXPECT_TRUE(after == fit.reference || (after == before && outcome.status != 0));
  // One that ends before it is the owner leaves what a killed one has left.
  EXPECT_TRUE(!left_before.empty() || leftovers().empty()) << leftovers().front();
}

void Contest::short_of_disk() {
  const std::size_t before = holder();
  const Fit fit = random_fit();
  Surroundings around = random_surroundings();
  const auto report = static_cast<double>(fs::file_size(folder / "fit/report.html"));
  // A thousand for the message, which goes to a file too.
  around.file_size_limit = 1000 + static_cast<std::size_t>(1.1 * random_share() * report);
  const Outcome outcome = run(fit.arguments, around);
  if (outcome.status != 0) expect_error(outcome, 1, {"File too large"});
  EXPECT_EQ(holder(), outcome.status == 0 ? fit.reference : before);
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

void Contest::run_rounds(int rounds, std::uint64_t seed) {
  random_.seed(seed);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(fmt::format("round {} of seed {}", round, seed));
    switch (round % 4) {
      case 0:
        two_at_once();
        break;
      case 1:
        killed();
        break;
      case 2:
        interrupted();
        break;
      default:
        short_of_disk();
        break;
    }
  }
}
