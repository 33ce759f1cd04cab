#include <csignal>

#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"

namespace fs = std::filesystem;

namespace {

/// Fits long enough to be broken off in the middle, and the same fit uninterrupted.
class InterruptedFit : public ProgramTest {
 protected:
  static constexpr const char* epochs = "200";

  std::vector<std::string> long_fit(const std::string& out,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = fit_arguments({"--epochs", epochs});
    arguments[4] = at(out);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// Starts a fit and sends it a signal once it has reported `progress` epochs.
  Outcome interrupt(const std::vector<std::string>& arguments, int signal, long progress) const {
    Program program(arguments);
    const auto epochs_reported = [&] {
      const std::string text = program.err();
      return std::count(text.begin(), text.end(), '\n');
    };
    while (program.running() && epochs_reported() < progress)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_TRUE(program.running()) << "the fit was over before the signal: " << program.err();
    program.send(signal);
    return program.wait();
  }

  void expect_same_result(const std::string& out) const {
    ASSERT_EQ(run(long_fit("whole")).status, 0);
    for (const char* name : {"parameters.safetensors", "history.csv"})
      EXPECT_EQ(read(folder / out / name), read(folder / "whole" / name)) << name;
  }
};

TEST_F(InterruptedFit, BySigintSaysHowToGoOnAndGoesOnToTheSameBits) {
  for (const auto& [signal, status] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    std::vector<std::string> arguments = long_fit("fit");
    if (signal == SIGTERM) arguments.push_back("--resume");
    const Outcome outcome = interrupt(arguments, signal, 20);
    EXPECT_EQ(outcome.status, status);
    EXPECT_EQ(outcome.out, "");
    const std::string last = outcome.err.substr(outcome.err.rfind("\nito: ") + 1);
    EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), 1);
    EXPECT_NE(last.find("go on with: ito fit " + at("latent.json")), std::string::npos) << last;
    EXPECT_TRUE(last.ends_with("--resume\n")) << last;
    EXPECT_EQ(listing(folder / "fit"),
              (std::vector<std::string>{"unfinished", "unfinished/checkpoint.safetensors",
                                        "unfinished/history.csv", "unfinished/model.json"}));
  }
  ASSERT_EQ(run(long_fit("fit", {"--resume"})).status, 0);
  expect_same_result("fit");
}

TEST_F(InterruptedFit, BySigkillAtAnyTimeGoesOnToTheSameBits) {
  for (const long progress : {0, 1, 30, 55}) {
    const Outcome outcome = interrupt(long_fit("fit", {"--resume"}), SIGKILL, progress);
    EXPECT_EQ(outcome.signal, SIGKILL);
  }
  write(folder / "fit/.ito-lock/work/.ito-999999999-3.tmp", "half-written by a killed process");
  ASSERT_EQ(run(long_fit("fit", {"--resume"})).status, 0);
  expect_same_result("fit");
  EXPECT_EQ(listing(folder / "fit").size(), 8u) << "what the killed process left is gone";
}

// The command it prints goes on from the checkpoint, which has left the start behind.
TEST_F(InterruptedFit, FromAGivenStartSaysHowToGoOnWithoutIt) {
  ASSERT_EQ(run({"init", at("latent.json"), "--seed", "5", "--out", at("init.safetensors")}).status,
            0);
  for (const std::vector<std::string>& start :
       {std::vector<std::string>{"--start", at("init.safetensors")},
        std::vector<std::string>{"--start=" + at("init.safetensors")}}) {
    const std::string out = start.size() == 2 ? "fit" : "other";
    const Outcome stopped = interrupt(long_fit(out, start), SIGINT, 20);
    EXPECT_EQ(stopped.status, 130);
    EXPECT_EQ(stopped.err.find("--start"), std::string::npos) << stopped.err;
    EXPECT_EQ(stopped.err.find("init.safetensors"), std::string::npos) << stopped.err;
  }
  ASSERT_EQ(run(long_fit("fit", {"--resume"})).status, 0);
  ASSERT_EQ(run(long_fit("whole", {"--start", at("init.safetensors")})).status, 0);
  for (const char* name : {"parameters.safetensors", "history.csv"})
    EXPECT_EQ(read(folder / "fit" / name), read(folder / "whole" / name)) << name;
}

TEST_F(InterruptedFit, WhileOverwritingLeavesTheEarlierFitAndGoesOn) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  const auto before = snapshot(folder / "fit");
  EXPECT_EQ(interrupt(long_fit("fit", {"--overwrite"}), SIGKILL, 20).signal, SIGKILL);
  const Outcome stopped = interrupt(long_fit("fit", {"--resume"}), SIGINT, 20);
  EXPECT_EQ(stopped.status, 130);
  auto after = snapshot(folder / "fit");
  std::erase_if(after, [](const auto& file) { return file.first.starts_with("unfinished/"); });
  EXPECT_EQ(after, before);
  ASSERT_EQ(run(long_fit("fit", {"--resume"})).status, 0);
  EXPECT_FALSE(fs::exists(folder / "fit/unfinished"));
  expect_same_result("fit");
}

TEST_F(InterruptedFit, InTheSecondFitOfAComparisonGoesOnThere) {
  const std::vector<std::string> arguments = fit_arguments({"--epochs", "80", "--compare"});
  const Outcome outcome = interrupt(arguments, SIGINT, 100);
  EXPECT_EQ(outcome.status, 130);
  const auto numbers = [&] {
    auto summary = nlohmann::json::parse(read(folder / "fit/summary.json"));
    summary.erase("settings");  // holds the time taken
    return summary;
  };
  ASSERT_EQ(run(fit_arguments({"--epochs", "80", "--compare", "--quiet", "--resume"})).status, 0);
  const auto resumed = numbers();
  ASSERT_EQ(run(fit_arguments({"--epochs", "80", "--compare", "--quiet", "--overwrite"})).status,
            0);
  EXPECT_EQ(resumed, numbers());
}

TEST_F(InterruptedFit, ByASecondSignalEndsAtOnceAndLeavesWhatCanBeGoneOnWith) {
  Program program(long_fit("fit", {"--evaluation-samples", "1048576"}));
  // While it evaluates, for seconds, nobody looks whether a signal has come in. It begins right
  // after this file is there.
  ASSERT_TRUE(
      wait_for(program, [&] { return fs::exists(folder / "fit/.ito-lock/work/history.csv"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  program.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  program.send(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.status, 128 + SIGINT);
  EXPECT_TRUE(outcome.err.ends_with("\nito: stopped by signal 2\n")) << outcome.err;
  std::vector<std::string> names{"unfinished"};
  for (const char* name : {"average.safetensors", "checkpoint.safetensors", "history.csv",
                           "last.safetensors", "model.json", "parameters.safetensors"})
    names.push_back(std::string("unfinished/") + name);
  EXPECT_EQ(listing(folder / "fit"), names);
  ASSERT_EQ(run(long_fit("fit", {"--resume"})).status, 0);
  expect_same_result("fit");
}

using InterruptedStudy = ProgramTest;

TEST_F(InterruptedStudy, EndsWithTheSignalAndLeavesNoFolder) {
  Program program({"orders", "--effort", "0.05", "--threads", "1", "--out", at("new/orders")});
  while (program.running() && program.err().empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  program.send(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.status, 128 + SIGINT) << outcome.err;
  EXPECT_NE(outcome.err.find("nothing was written"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(folder / "new"));
}

TEST_F(InterruptedFit, DoesNotGoOnFromADamagedOrForeignCheckpoint) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "2", "--quiet"})).status, 0);
  const auto expect_refused = [&](const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& says) {
    const auto before = snapshot(folder / "fit");
    expect_error(run(arguments), 1, says);
    EXPECT_EQ(snapshot(folder / "fit"), before);
  };
  const std::vector<std::string> resume = fit_arguments({"--epochs", "2", "--quiet", "--resume"});
  expect_refused(fit_arguments({"--epochs", "2", "--quiet", "--resume", "--seed", "77"}), {"seed"});

  const std::string model = read(folder / "latent.json");
  std::string other = model;
  other.replace(other.find("\"hidden\": [5]"), 13, "\"hidden\": [6]");
  write(folder / "latent.json", other);
  expect_refused(resume, {"model"});
  write(folder / "latent.json", model);

  const std::string data = read(folder / "data.csv");
  write(folder / "data.csv", data + "1,2,3\n");
  expect_refused(resume, {"data"});
  write(folder / "data.csv", data);

  const fs::path checkpoint = folder / "fit/checkpoint.safetensors";
  const std::string whole = read(checkpoint);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
    write(checkpoint, whole.substr(0, size));
    expect_refused(resume, {"checkpoint.safetensors"});
  }
  write(checkpoint, whole);
  EXPECT_EQ(run(resume).status, 0);
}

}  // namespace
